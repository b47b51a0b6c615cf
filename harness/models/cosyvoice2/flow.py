"""Flow matching: speech tokens, prompt mel and speaker embedding -> mel spectrogram, by Euler steps (ten in the public code) from fixed noise.

Parameters are named as in the public `flow.pt`.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F  # noqa: N812 (torch's own name for it)
from torch import Tensor, nn

from harness.models.cosyvoice2.config import FlowConfig
from harness.models.cosyvoice2.flow_encoder import FlowEncoder
from harness.models.cosyvoice2.flow_estimator import FlowEstimator
from harness.worker.spans import span

NOISE_FRAMES = 15_000
"""300 s of mel frames: the longest utterance, prompt included. A different figure would be different noise."""


@lru_cache(maxsize=1)
def rand_noise(mels: int) -> Tensor:
    """The noise that every utterance starts from, float32 [1, mels, NOISE_FRAMES] on the CPU: drawn once, seed 0."""
    with torch.inference_mode(mode=False):
        return torch.randn([1, mels, NOISE_FRAMES], generator=torch.Generator().manual_seed(0))


class ConditionalFlow(nn.Module):
    """Solves the flow from noise to mel with guidance: the estimator runs with and without conditions at once."""

    def __init__(self, config: FlowConfig, mels: int) -> None:
        super().__init__()
        self.steps = config.euler_steps
        self.guidance = config.guidance
        self.estimator = FlowEstimator(config, mels)

    def forward(self, mu: Tensor, speaker: Tensor, prompt: Tensor, *, streaming: bool) -> Tensor:
        """`mu` and `prompt` [1, mels, L], `speaker` [1, mels] -> mel [1, mels, L]."""
        length = mu.shape[2]
        if length > NOISE_FRAMES:
            message = f"{length} mel frames, prompt included, but the flow's noise ends at {NOISE_FRAMES} (300 s)"
            raise ValueError(message)
        x = rand_noise(mu.shape[1])[:, :, :length].to(mu)
        times = 1 - torch.cos(torch.linspace(0, 1, self.steps + 1, device=mu.device, dtype=mu.dtype) * 0.5 * torch.pi)
        # The second of the two is unconditional: zeros stand for what it is not told.
        mu, speaker, prompt = (torch.cat([given, torch.zeros_like(given)]) for given in (mu, speaker, prompt))
        time = times[:1]
        for index in range(1, self.steps + 1):
            change = times[index : index + 1] - time
            with span("flow.estimator"):
                direction = self.estimator(
                    x.expand(2, -1, -1), mu, time.expand(2), speaker, prompt, streaming=streaming
                )
            told, untold = direction.chunk(2)
            x = x + change * ((1.0 + self.guidance) * told - self.guidance * untold)
            time = time + change
        return x


class Flow(nn.Module):
    """Speech tokens (25 a second) -> mel frames (50 a second)."""

    def __init__(self, flow: FlowConfig, speech_vocab: int, embedding: int = 192, mels: int = 80) -> None:
        super().__init__()
        self.config = flow
        self.mels = mels
        self.input_embedding = nn.Embedding(speech_vocab, flow.width)
        self.spk_embed_affine_layer = nn.Linear(embedding, mels)
        self.encoder = FlowEncoder(flow)
        self.encoder_proj = nn.Linear(flow.width, mels)
        self.decoder = ConditionalFlow(flow, mels)

    @torch.inference_mode()
    def inference(
        self,
        tokens: Tensor,
        prompt_tokens: Tensor,
        prompt_mel: Tensor,
        embedding: Tensor,
        *,
        streaming: bool,
        finalize: bool,
    ) -> Tensor:
        """Mel [1, mels, 2*N] of `tokens` [1, N], after a prompt of `prompt_tokens` [1, M], `prompt_mel` [1, 2*M, mels]
        and speaker `embedding` [1, 192].

        With `finalize` false, more tokens will come: the last `lookahead` of these are only heard, and the mel has
        2*(N - lookahead) frames. With `streaming`, frames see nothing beyond their chunk, so earlier ones stay as
        they are when more tokens come. (Upstream: `CausalMaskedDiffWithXvec.inference`.)
        """
        speaker = self.spk_embed_affine_layer(F.normalize(embedding, dim=1))
        embedded = self.input_embedding(torch.cat([prompt_tokens, tokens], dim=1).clamp(min=0))
        coming = None
        if not finalize:
            cut = self.config.lookahead
            embedded, coming = embedded[:, :-cut], embedded[:, -cut:]
        with span("flow.encoder"):
            mu = self.encoder_proj(self.encoder(embedded, coming, streaming=streaming)).transpose(1, 2)
        known = prompt_mel.shape[1]
        prompt = F.pad(prompt_mel.to(mu).transpose(1, 2), (0, mu.shape[2] - known))
        mel: Tensor = self.decoder(mu, speaker, prompt, streaming=streaming)
        return mel[:, :, known:].float()
