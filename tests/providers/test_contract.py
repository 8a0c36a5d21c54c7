"""Every provider keeps what the seam promises: Gemini, local, the services, and one made of the mix-ins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexer.providers import spec
from indexer.providers.gemini.adapter import Gemini
from indexer.providers.local.adapter import Local
from indexer.providers.spec import Opening
from tests.fakes.gemini import Emulator
from tests.fakes.services import Answer, Service
from tests.fakes.vertex import BUCKET, PROJECT, FakeVertex
from tests.providers.contract import FAULTS, BatchContract, ProviderContract, Rig
from tests.support.gemini_rig import KEY, SHORT
from tests.support.parcel import FAULTS as PARCEL_FAULTS
from tests.support.parcel import GOOD_KEY, Parcel, ParcelService
from tests.support.rigs import KEY as RIG_KEY
from tests.support.rigs import RIGS, vertex_variables
from tests.support.services import SHOPS

_WORDS = {
    "key refused": (401, "Incorrect API key: {key}"),
    "no credit": (402, "Insufficient Balance"),
    "rate limited": (429, "Slow down."),
    "away": (503, "Overloaded."),
}


class TestLocal(ProviderContract):
    """The keyless provider."""

    @pytest.fixture
    def rig(self) -> Rig:
        """It needs nothing."""
        return Rig(Local(), "indexer.providers.local", environ={"HOME": "/"})


class TestGemini(BatchContract):
    """Gemini before the emulator, in virtual time."""

    @pytest.fixture
    def rig(self, emulator: Emulator) -> Iterator[Rig]:
        """The faults of keys are those that the emulator knows keys by."""
        provider = Gemini(KEY, emulator.url, timeouts=SHORT, sleep=lambda seconds: None)

        def meet(kind: str) -> None:
            code, words = {"no credit": (429, "Your prepayment credits are depleted.")}.get(kind, _WORDS[kind])
            emulator.fault("*", str(code), message=words.format(key=KEY))

        def finish() -> None:
            emulator.advance(3600)

        yield Rig(
            provider,
            "indexer.providers.gemini",
            key=KEY,
            environ={"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": emulator.url},
            meet=meet,
            finish=finish,
            lose_create=lambda: emulator.fault("create", "drop", nth=1) and None,
            creates=lambda: len(emulator.requests("create")),
            now=lambda: float(emulator.health()["now"]),
            lost="batches/" + "x" * 36,
            gone="files/abc",
        )
        provider.close()


class TestParcel(BatchContract):
    """A service without uploads, labels and cancelling."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        """In this process."""
        hours = [1_800_000_000.0]
        service = ParcelService(lambda: hours[0], tmp_path)

        def meet(kind: str) -> None:
            service.fault = PARCEL_FAULTS[kind]

        def finish() -> None:
            hours[0] += 3600.0

        def lose() -> None:
            service.lost = 1

        return Rig(
            Parcel(service),
            "tests.support.parcel",
            key=GOOD_KEY,
            meet=meet,
            finish=finish,
            lose_create=lose,
            creates=lambda: service.creates,
            now=lambda: hours[0],
            lost="parcels/99",
        )


def shop_rig(service: Service, name: str) -> Rig:
    """Return the provider of a service before its fake."""
    shop = SHOPS[name]
    told = {shop.key: service.key, shop.url: service.url}
    options = {"url": service.url} if name == "compatible" else {}
    provider = spec(name).open(Opening(told, options, sleep=lambda seconds: None, clock=lambda: service.now))

    def meet(kind: str) -> None:
        status, words = _WORDS[kind]
        said = Answer(status, {"type": "error", "error": {"type": "e", "message": words.format(key=service.key)}})
        service.faults.append(lambda call: said)

    return Rig(
        provider,
        f"indexer.providers.{name}",
        key=service.key,
        environ=told if not options else {},
        meet=meet,
        now=lambda: service.now,
    )


class TestVertex(BatchContract):
    """Vertex before its strict fake, in virtual time."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        """It signs in first, so that no fault of the service strikes the sign-in."""
        with FakeVertex(tmp_path / "service") as service:
            told = vertex_variables(service)
            opening = Opening(told, {"bucket": f"gs://{BUCKET}/photos"}, sleep=lambda seconds: None)
            provider = spec("vertex").open(opening)

            def meet(kind: str) -> None:
                code, words = {"no credit": (403, "This API method requires billing to be enabled.")}.get(
                    kind, _WORDS[kind]
                )
                service.fault("*", str(code), message=words.format(key="a-key"))

            def lose() -> None:
                service.fault("create", "drop", nth=1)

            yield Rig(
                provider,
                "indexer.providers.vertex",
                environ=told,
                meet=meet,
                finish=lambda: service.advance(3600) and None,
                lose_create=lose,
                creates=lambda: len(service.log("create")),
                now=lambda: float(service.health()["now"]),
                lost=f"projects/{PROJECT}/locations/global/batchPredictionJobs/99",
                gone=f"gs://{BUCKET}/captionary-0a1b2c3d-99999999-1/requests.jsonl",
            )
            provider.close()


_CODES = {
    "openai": {
        "key refused": ("401", "invalid_api_key"),
        "no credit": ("429", "insufficient_quota"),
        "rate limited": ("429", "rate_limit_exceeded"),
        "away": ("503", None),
    },
    "anthropic": {
        "key refused": ("401", None),
        "no credit": ("400", None),
        "rate limited": ("429", None),
        "away": ("529", None),
    },
    "mistral": {
        "key refused": ("401", None),
        "no credit": ("402", None),
        "rate limited": ("429", "1300"),
        "away": ("503", None),
    },
}


class TestServicesByBatch(BatchContract):
    """OpenAI, Anthropic and Mistral before their strict fakes, in virtual time."""

    @pytest.fixture(params=list(_CODES))
    def rig(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
        """Each in turn."""
        strict = RIGS[request.param]
        with strict.service(tmp_path / "service") as service:
            told = strict.variables(service)
            provider = spec(strict.provider).open(Opening(told, sleep=lambda seconds: None))

            def meet(kind: str) -> None:
                status, code = _CODES[strict.provider][kind]
                words = "Your credit balance is too low" if kind == "no credit" else "It cannot be done"
                service.fault("*", status, code=code, message=f"{words} with {RIG_KEY}.")

            yield Rig(
                provider,
                f"indexer.providers.{strict.provider}",
                key=RIG_KEY,
                environ=told,
                meet=meet,
                finish=lambda: service.advance(3600) and None,
                lose_create=lambda: service.fault("create", "drop", nth=1),
                creates=lambda: len(service.log("create")),
                now=lambda: float(service.health()["now"]),
                lost="00000000-0000-0000-0000-000000000099",
                gone="file-99",
            )
            provider.close()


class TestServicesByCall(ProviderContract):
    """DeepSeek, OpenRouter and a server of one's own before their fakes."""

    @pytest.fixture(params=sorted(SHOPS.keys() - _CODES.keys()))
    def rig(self, request: pytest.FixtureRequest) -> Iterator[Rig]:
        """Each in turn."""
        with SHOPS[request.param].service() as service:
            made = shop_rig(service, request.param)
            yield made
            made.provider.close()


def test_every_fault_has_words() -> None:
    """The rigs know every kind that the contract asks for."""
    assert _WORDS.keys() == PARCEL_FAULTS.keys() == FAULTS.keys()
