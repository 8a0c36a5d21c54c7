"""An emulator of the Gemini Developer API: batches, files and single calls, with faults on demand.

In a test: `with Emulator(tmp_path) as service: ...  service.url`. As its own process, so that clients can be killed
while the service lives on: `python -m tests.fakes.gemini --state DIR --port 8123`, then
`GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8123 GOOGLE_API_KEY=test-key`. `RemoteControl` is the same set of verbs for
that process.
"""

from tests.fakes.gemini.client import EmulatorProcess, RemoteControl
from tests.fakes.gemini.emulator import Emulator
from tests.fakes.gemini.faults import Fault
from tests.fakes.gemini.settings import Settings

__all__ = ["Emulator", "EmulatorProcess", "Fault", "RemoteControl", "Settings"]
