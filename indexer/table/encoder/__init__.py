"""Texts to vectors: the sentence encoder as ONNX."""
