"""Networks for the small CosyVoice of `samples.py` that lose time as the public code does: each loss by its structure.

A causal language model with a text head in transformers' manner, sampling that goes to the host, an estimator that builds
masks in every step, a vocoder with weight norm. `FILES` are written beside the package's other files.
"""

from __future__ import annotations

MASKS = """
import torch


def optional_mask(xs, masks, chunk_size):
    if chunk_size > 0:
        steps = torch.arange(xs.shape[1])
        masks = masks & (steps[None] < (steps[:, None] // chunk_size + 1) * chunk_size)[None]
    if (masks.sum(dim=-1) == 0).sum().item() != 0:
        raise ValueError("a step sees nothing")
    return masks


def mask_as_bias(mask, dtype):
    return (1.0 - mask.to(dtype)) * -1e10
"""

DRAWING = """
import torch


def aware_of_repetition(weighted_scores, decoded_tokens, sampling, top_p=0.8, top_k=25, win_size=10, tau_r=0.1):
    token = from_nucleus(weighted_scores, top_p=top_p, top_k=top_k)
    repeated = (torch.tensor(decoded_tokens[-win_size:]) == token).sum().item()
    if repeated >= win_size * tau_r:
        token = from_all(weighted_scores)
    return token


def from_nucleus(weighted_scores, top_p=0.8, top_k=25):
    chosen, indices, total = [], [], 0.0
    values, order = weighted_scores.softmax(dim=0).sort(descending=True, stable=True)
    for i in range(len(order)):
        if total < top_p and len(chosen) < top_k:
            total += values[i]
            chosen.append(values[i])
            indices.append(order[i])
        else:
            break
    chosen = torch.tensor(chosen).to(weighted_scores)
    indices = torch.tensor(indices, dtype=torch.long)
    return indices[chosen.multinomial(1, replacement=True)]{item}


def from_all(weighted_scores):
    return weighted_scores.softmax(dim=0).multinomial(1, replacement=True){item}
"""

NETWORKS = """
from functools import partial

import torch
from torch.nn.utils.parametrizations import weight_norm

from .utils.drawing import aware_of_repetition
from .utils.masks import mask_as_bias, optional_mask


class Outputs(tuple):
    pass


def outputs(**given):
    made = Outputs(given.values())
    vars(made).update(given)
    return made


class Layers(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Linear(4, 4)

    def forward(self, inputs_embeds, past_key_values=None, use_cache=True, output_hidden_states=False, return_dict=True):
        first = inputs_embeds if past_key_values is None else inputs_embeds + past_key_values
        last = torch.tanh(self.mix(first))
        every = (first, last) if output_hidden_states else None
        return outputs(last_hidden_state=last, past_key_values=last, hidden_states=every)


class Causal(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Layers()
        self.lm_head = torch.nn.Linear(4, 30)

    @property
    def base_model(self):
        return self.model

    def get_output_embeddings(self):
        return self.lm_head

    def forward(self, labels=None, logits_to_keep=0, **given):
        made = self.model(**given)
        made.logits = self.lm_head(made.last_hidden_state)
        return made


class Steps(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = Causal()

    def forward_one_step(self, x, cache=None):
        made = self.model(inputs_embeds=x, output_hidden_states=True, return_dict=True, use_cache=True, past_key_values=cache)
        return made.hidden_states[-1], made.past_key_values


class Words(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.llm = Steps()
        self.scores = torch.nn.Linear(4, 50)
        self.sampling = partial(aware_of_repetition, top_p=0.8, top_k=25, win_size=10, tau_r=0.1)

    @torch.inference_mode()
    def inference(self, text, prompt_text, embedding, max_token_text_ratio=20, min_token_text_ratio=2):
        least, most = (int(text.shape[1] * ratio) for ratio in (min_token_text_ratio, max_token_text_ratio))
        state, cache, said = embedding.mean() * torch.ones(4) + text.sum() / 1000, None, []
        for step in range(most):
            state, cache = self.llm.forward_one_step(state, cache)
            token = int(self.sampling(self.scores(state).log_softmax(dim=-1), said, 25))
            if step >= least and token == 0:
                return
            yield token
            said.append(token)
            state = torch.roll(state, 1) + token / 50


class Estimator(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = torch.nn.Linear(8, 8)

    def forward(self, x, mask, mu, t):
        for chunk_size in (0, 4):
            seen = optional_mask(x, mask.bool(), chunk_size).repeat(1, 1 if chunk_size else x.shape[1], 1)
            bias = mask_as_bias(seen, x.dtype)
            x = torch.softmax(x @ x.transpose(1, 2) + bias, dim=-1) @ self.mix(x) + mu * t
        return x * mask.transpose(1, 2)


class Solver(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.estimator = Estimator()

    def forward(self, mu, mask, n_timesteps):
        x = torch.zeros_like(mu)
        for step in range(n_timesteps):
            x = x + self.estimator(x, mask, mu, step / n_timesteps) / n_timesteps
        return x


class Flow(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mel = torch.nn.Linear(1, 8)
        self.decoder = Solver()

    @torch.inference_mode()
    def inference(self, token, prompt_feat):
        mu = (self.mel(token.float().T) + prompt_feat.mean())[None]
        hidden = torch.arange(mu.shape[1]) < mu.shape[1] - HIDDEN
        return self.decoder(mu=mu, mask=hidden[None, None].float(), n_timesteps=3)[0]


HIDDEN = 0


class Vocoder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.samples = weight_norm(torch.nn.Conv1d(8, 480, 1))
        self.again = weight_norm(torch.nn.Conv1d(480, 480, 1, groups=480))

    @torch.inference_mode()
    def inference(self, mel):
        return self.again(self.samples(mel.T[None]))[0].T.reshape(1, -1)
"""


def parts(*, item: bool = True) -> dict[str, str]:
    """What `samples.written` takes: files by name. With `item`, drawing gives a number, as newer public code does; else a tensor."""
    drawing = DRAWING.replace("{item}", ".item()" if item else "")
    return {"networks.py": NETWORKS, "utils/masks.py": MASKS, "utils/drawing.py": drawing}
