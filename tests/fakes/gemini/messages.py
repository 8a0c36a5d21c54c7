"""The request messages of the API, as far as a client of batches and captions can reach them.

One line is one message: `field:type`, `[]` for repeated, `@group` for members of a oneof. Types in capitals are
enums, `any` is a free JSON value, `map` a map from string to string, `Schema{}` a map from string to Schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

_MESSAGES = """
GenerateContentRequest model:string contents:Content[] system_instruction:Content tools:any[] tool_config:any
 safety_settings:SafetySetting[] generation_config:GenerationConfig cached_content:string service_tier:string
 store:bool
Content parts:Part[] role:string
Part text:string@data inline_data:Blob@data file_data:FileData@data function_call:any@data
 function_response:any@data executable_code:any@data code_execution_result:any@data thought:bool
 thought_signature:bytes video_metadata:any@metadata part_metadata:any media_resolution:MediaResolutionOfPart
MediaResolutionOfPart level:MEDIA_RESOLUTION
Blob mime_type:string data:bytes display_name:string
FileData mime_type:string file_uri:string display_name:string
SafetySetting category:HARM_CATEGORY threshold:HARM_THRESHOLD
GenerationConfig candidate_count:int32 stop_sequences:string[] max_output_tokens:int32 temperature:double
 top_p:double top_k:int32 seed:int32 response_mime_type:string response_schema:Schema response_json_schema:any
 _response_json_schema:any presence_penalty:double frequency_penalty:double response_logprobs:bool logprobs:int32
 enable_enhanced_civic_answers:bool response_modalities:MODALITY[] speech_config:any image_config:any
 thinking_config:ThinkingConfig media_resolution:MEDIA_RESOLUTION
ThinkingConfig include_thoughts:bool thinking_budget:int32 thinking_level:THINKING_LEVEL
Schema type:TYPE format:string title:string description:string nullable:bool enum:string[] items:Schema
 max_items:int64 min_items:int64 properties:Schema{} required:string[] min_properties:int64 max_properties:int64
 min_length:int64 max_length:int64 pattern:string example:any any_of:Schema[] property_ordering:string[]
 default:any minimum:double maximum:double
CountTokensRequest model:string contents:Content[] generate_content_request:GenerateContentRequest
BatchGenerateContentRequest batch:GenerateContentBatch
GenerateContentBatch model:string name:string display_name:string input_config:InputConfig priority:int64
 webhook_config:WebhookConfig
WebhookConfig uris:string[] user_metadata:any
InputConfig file_name:string@source requests:InlinedRequests@source
InlinedRequests requests:InlinedRequest[]
InlinedRequest request:GenerateContentRequest metadata:any
CreateFileRequest file:File
File name:string display_name:string mime_type:string size_bytes:int64 create_time:string update_time:string
 expiration_time:string sha256_hash:bytes uri:string download_uri:string state:string source:string
"""

_ENUMS = {
    "MEDIA_RESOLUTION": (
        "GenerationConfig.MediaResolution",
        [f"MEDIA_RESOLUTION_{name}" for name in ("UNSPECIFIED", "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH")],
    ),
    "THINKING_LEVEL": (
        "ThinkingConfig.ThinkingLevel",
        ["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"],
    ),
    "TYPE": (
        "Type",
        ["TYPE_UNSPECIFIED", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"],
    ),
    "MODALITY": ("GenerationConfig.Modality", ["MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO"]),
    "HARM_CATEGORY": (
        "HarmCategory",
        [
            f"HARM_CATEGORY_{name}"
            for name in (
                "UNSPECIFIED",
                "DEROGATORY",
                "TOXICITY",
                "VIOLENCE",
                "SEXUAL",
                "MEDICAL",
                "DANGEROUS",
                "HARASSMENT",
                "HATE_SPEECH",
                "SEXUALLY_EXPLICIT",
                "DANGEROUS_CONTENT",
                "CIVIC_INTEGRITY",
            )
        ],
    ),
    "HARM_THRESHOLD": (
        "SafetySetting.HarmBlockThreshold",
        [
            "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
            "BLOCK_LOW_AND_ABOVE",
            "BLOCK_MEDIUM_AND_ABOVE",
            "BLOCK_ONLY_HIGH",
            "BLOCK_NONE",
            "OFF",
        ],
    ),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message; `type` is a scalar, an enum or the name of a message."""

    name: str
    type: str
    repeated: bool = False
    keyed: bool = False
    oneof: str = ""


@cache
def messages() -> dict[str, dict[str, Field]]:
    """Return every message as a map from the field's names, in both cases, to the field."""
    known: dict[str, dict[str, Field]] = {}
    for line in _MESSAGES.replace("\n ", " ").strip().splitlines():
        name, *fields = line.split()
        known[name] = {}
        for item in map(_field, fields):
            known[name][item.name] = item
            known[name][camel(item.name)] = item
    return known


def _field(text: str) -> Field:
    name, rest = text.split(":")
    kind, _, oneof = rest.partition("@")
    return Field(name, kind.rstrip("[]{}"), kind.endswith("[]"), kind.endswith("{}"), oneof)


def camel(name: str) -> str:
    """Return the JSON name of a proto field."""
    head, *tail = name.lstrip("_").split("_")
    prefix = "_" if name.startswith("_") else ""
    return prefix + head + "".join(word.capitalize() for word in tail)


def enum(name: str) -> tuple[str, list[str]] | None:
    """Return the full type name and the values of an enum, or None when `name` is no enum."""
    if name not in _ENUMS:
        return None
    kind, values = _ENUMS[name]
    return f"type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}", values


def type_name(message: str) -> str:
    """Return the full type name of a message."""
    return f"type.googleapis.com/google.ai.generativelanguage.v1beta.{message}"
