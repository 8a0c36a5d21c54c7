"""What both of Google's services share: the wire of a request and an answer, schemas, models, and words of refusal."""
