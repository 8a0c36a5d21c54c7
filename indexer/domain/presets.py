"""Checks files to start from: what uploads of some kinds of programs are usually looked at for."""

from __future__ import annotations

PRESETS = {
    "marketplace": """\
# What buyers may be shown: goods, honestly pictured. Rules may be changed at any time; that sends nothing.
[moderation]
reject = ["sexual:high", "violence:high", "hate:low", "drugs:high", "spam:high"]
human = ["sexual:low", "weapons:low", "minors:low", "personal_data:high", "self_harm:low"]

[[check]]
name = "shows_product"
ask = "Does the picture show the product that is for sale, not only its box or a text?"
reject_if = false

[[check]]
name = "contact_details"
ask = "Does the picture show a phone number, an e-mail address, a link or a code to scan?"
human_if = true

[[check]]
name = "stock_photo"
ask = "Does the picture carry the watermark of an agency or of another shop?"
human_if = true
""",
    "avatars": """\
# Pictures that stand beside a name, seen by everybody and by children.
[moderation]
reject = ["sexual:low", "violence:high", "hate:low", "drugs:high", "self_harm:low"]
human = ["violence:low", "weapons:low", "minors:low", "personal_data:low", "spam:low"]

[[check]]
name = "readable_text"
ask = "Is there text that can be read at the size of a stamp?"
human_if = true
""",
    "documents": """\
# Pages that were scanned or photographed: is it one, whole, and can it be read?
[moderation]
reject = ["sexual:high", "violence:high", "hate:high"]
human = ["minors:low"]

[[check]]
name = "is_document"
ask = "Is it a document: a letter, a form, a receipt or a card, filling most of the picture?"
reject_if = false

[[check]]
name = "legible"
ask = "Can the printed text be read, without blur, glare or missing corners?"
human_if = false

[inbox]
keep = "30d"
""",
}
