"""From model inputs to audio on the host: language model, flow and vocoder, offline or in chunks.

Tokens are generated and turned into audio in turns, in one thread, so that a seed decides the result. (Upstream:
`CosyVoice2Model`, whose generation runs in a thread of its own that the synthesis polls.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor

from harness.models.cosyvoice2.config import CosyVoice2Config
from harness.models.cosyvoice2.frontend import ModelInputs
from harness.models.cosyvoice2.weights import AcousticModel
from harness.worker.spans import span

HOP_GROWTH = 2
LARGEST_HOP = 4
"""A streamed chunk has twice the tokens of the one before, up to this multiple of the first."""
CACHED_MEL_FRAMES = 8
"""The vocoder hears this much of the chunk before, and the two are cross-faded over it."""

Take = Callable[[int | None], list[int]]
"""Up to so many further tokens (None: all that are left); fewer when there are no more."""


@dataclass(slots=True, kw_only=True)
class Session:
    """What lasts for one request: where randomness comes from, how far the chunks have grown, what was spoken, in which segments.

    Tokens are drawn on the CPU, so that a seed gives the same ones on every device; the vocoder's noise on the device. `given` has
    those of each segment that are spoken instead.
    """

    token_draws: torch.Generator
    noise: torch.Generator
    hop: int
    given: Iterator[Sequence[int]]
    tokens: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    hit_cap: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Overlap:
    """The end of a chunk, which the next one begins with: mel [1, mels, 8], source [1, 1, 3840], speech [1, 3840]."""

    mel: Tensor
    source: Tensor
    speech: Tensor


class Synthesiser:
    """The acoustic networks, and how a segment of text goes through them."""

    def __init__(
        self, config: CosyVoice2Config, networks: AcousticModel, device: str, cuda_available: Callable[[], bool]
    ) -> None:
        self._config = config
        self._networks = networks
        self._cuda_available = cuda_available
        self._device = torch.device(device if cuda_available() else "cpu")
        self._llm_stream = torch.cuda.Stream(self._device) if cuda_available() else None
        self._overlap_samples = CACHED_MEL_FRAMES * networks.vocoder.samples_per_frame
        self._window = torch.hamming_window(2 * self._overlap_samples, periodic=False, device=self._device)

    def start(self, seed: int, given: Sequence[Sequence[int]] | None = None) -> Session:
        """The state of a new request, which speaks the tokens `given` of each segment instead of drawing any.

        The size of chunks starts anew, so that no request depends on those before it.
        """
        return Session(
            token_draws=torch.Generator().manual_seed(seed),
            noise=torch.Generator(self._device).manual_seed(seed),
            hop=self._config.flow.chunk_tokens,
            given=iter(given or ()),
        )

    def speech(self, inputs: ModelInputs, session: Session, *, stream: bool) -> Iterator[Tensor]:
        """Audio of one segment, float32 [samples] on the host: one piece, or with `stream` chunk by chunk."""
        take, spoken = self._source(inputs, session), len(session.tokens)
        if stream:
            yield from self._streamed(inputs, session, take)
        else:
            speech, _ = self._audio(self._mel(inputs, take(None), 0), None, session, finalize=True)
            yield speech
        session.segments.append(len(session.tokens) - spoken)

    def end_segment(self) -> None:
        """Wait until the device has done everything, where there is a GPU."""
        if self._cuda_available():
            torch.cuda.current_stream(self._device).synchronize()

    def _streamed(self, inputs: ModelInputs, session: Session, take: Take) -> Iterator[Tensor]:
        """Chunks of growing length; each runs the flow over everything so far and the vocoder over what is new."""
        tokens: list[int] = []
        offset = 0
        overlap: _Overlap | None = None
        # The first chunk fills up the prompt's last block of tokens, so that the flow's blocks and the chunks align.
        hop = session.hop + -inputs.flow_prompt.shape[1] % self._config.flow.chunk_tokens
        while True:
            wanted = offset + hop + self._config.flow.lookahead
            tokens += take(wanted - len(tokens))
            if len(tokens) < wanted:
                break
            mel = self._mel(inputs, tokens, offset, streaming=True, finalize=False)
            speech, overlap = self._audio(mel, overlap, session, finalize=False)
            yield speech
            offset += hop
            session.hop = min(session.hop * HOP_GROWTH, LARGEST_HOP * self._config.flow.chunk_tokens)
            hop = session.hop
        speech, _ = self._audio(self._mel(inputs, tokens, offset), overlap, session, finalize=True)
        yield speech

    def _source(self, inputs: ModelInputs, session: Session) -> Take:
        if inputs.source.shape[1]:
            return self._given(iter(inputs.source.flatten().tolist()), session)
        given = next(session.given, None)
        return self._generated(inputs, session) if given is None else self._given(iter(given), session)

    def _given(self, tokens: Iterator[int], session: Session) -> Take:
        def take(count: int | None) -> list[int]:
            taken = list(islice(tokens, count))
            session.tokens += taken
            return taken

        return take

    def _generated(self, inputs: ModelInputs, session: Session) -> Take:
        llm = self._networks.llm
        text_tokens = inputs.text.shape[1]
        length = llm.forced_length(text_tokens)
        session.hit_cap |= length is not None and length >= llm.length_bounds(text_tokens)[1]

        def tokens() -> Iterator[int]:
            capped = yield from llm.generate(
                inputs.text, inputs.prompt_text, inputs.prompt_speech, length, session.token_draws
            )
            session.hit_cap |= capped

        take_next = self._given(tokens(), session)
        if self._llm_stream is not None:
            self._llm_stream.wait_stream(torch.cuda.current_stream(self._device))

        def take(count: int | None) -> list[int]:
            with self._on_llm_stream(), span("llm"):  # in this order: the span marks the stream that does the work
                return take_next(count)

        return take

    def _on_llm_stream(self) -> AbstractContextManager[object]:
        return nullcontext() if self._llm_stream is None else torch.cuda.stream(self._llm_stream)

    def _mel(
        self, inputs: ModelInputs, tokens: list[int], offset: int, *, streaming: bool = False, finalize: bool = True
    ) -> Tensor:
        """Mel frames [1, mels, F] of `tokens` from the token `offset` on; those before it are heard and dropped."""
        with span("flow"):
            mel = self._networks.flow.inference(
                torch.tensor([tokens], dtype=torch.long).to(self._device),
                inputs.flow_prompt,
                inputs.prompt_mel,
                inputs.embedding,
                streaming=streaming,
                finalize=finalize,
            )
            return mel[:, :, offset * self._config.flow.mel_per_token :]

    def _audio(
        self, mel: Tensor, before: _Overlap | None, session: Session, *, finalize: bool
    ) -> tuple[Tensor, _Overlap | None]:
        """Audio of `mel` on the host, and what the next chunk needs; unless `finalize`, the end is held back for it."""
        with span("vocoder"):
            if before is not None:
                mel = torch.cat([before.mel, mel], dim=2)
            cached = None if before is None else before.source
            speech, source = self._networks.vocoder.inference(mel, cached, session.noise)
            if before is not None:
                self._fade_in(speech, before.speech)
            if finalize:
                return speech[0].cpu(), None
            held = self._overlap_samples
            overlap = _Overlap(
                mel=mel[:, :, -CACHED_MEL_FRAMES:], source=source[:, :, -held:], speech=speech[:, -held:]
            )
            return speech[0, :-held].cpu(), overlap

    def _fade_in(self, speech: Tensor, before: Tensor) -> None:
        """Cross-fade the start of `speech` [1, samples], in place, with what the chunk before held back."""
        held = self._overlap_samples
        speech[:, :held] = speech[:, :held] * self._window[:held] + before * self._window[held:]
