"""Each rule, on code that has the costly structure, on code that avoids it, and on code that has neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.inspecting import RULES, Finding, inspect
from harness.optimizations import CHECKOUT_SITES, SPEECH_SITES, registry
from tests.inspecting.samples import LLM, code, engine, facade, front_end, written

COSTLY, AVOIDED, NEITHER = 0, 1, 2
STATES = {
    "toggle": ("applies", "already present", "not applicable"),
    "loss": ("found", "avoided", "not there"),
}
DEVICE = "self.device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')"
RESAMPLE = "torchaudio.transforms.Resample(orig_freq=16000, new_freq=resample_rate)"
EXTRACTOR = """
    def _extract_speech_token(self, speech):
        return speech
"""
CASES = [
    # rule, where it stands, files, what the marked lines are
    ("cached_cuda_check", COSTLY, {"cli/model.py": engine(init=f"{DEVICE}\nself.side = 1 if torch.cuda.is_available() else 0")}),
    ("cached_cuda_check", COSTLY, {"cli/model.py": engine(tts="yield text\nif torch.cuda.is_available():\n    pass")}),
    ("cached_cuda_check", AVOIDED, {"cli/model.py": engine(
        init="self._gpu = torch.cuda.is_available()\nself.device = torch.device('cuda' if self._gpu else 'cpu')",
        tts="yield text\nif self._gpu:\n    pass")}),
    ("cached_cuda_check", AVOIDED, {"cli/model.py": engine(init=DEVICE)}),
    ("cached_cuda_check", NEITHER, {}),
    ("resample_cache", COSTLY, {"cli/frontend.py": front_end(zero_shot=f"return {RESAMPLE}(prompt_speech_16k)")}),
    ("resample_cache", COSTLY, {
        "cli/frontend.py": front_end(zero_shot="return load(prompt_speech_16k, 24000)", before="from cosyvoice.utils.files import load"),
        "utils/files.py": code("""
            def load(path, wanted_hz):
                audio, rate_hz = torchaudio.load(path)
                return torchaudio.transforms.Resample(rate_hz, wanted_hz)(audio)
        """)}),
    ("resample_cache", COSTLY, {"cli/frontend.py": front_end(
        zero_shot="return R(16000, resample_rate)(prompt_speech_16k)", before="from torchaudio.transforms import Resample as R")}),
    ("resample_cache", AVOIDED, {"cli/frontend.py": front_end(
        zero_shot=f"if resample_rate not in self.kept:\n    self.kept[resample_rate] = {RESAMPLE}\nreturn self.kept[resample_rate]")}),
    ("resample_cache", AVOIDED, {"cli/frontend.py": front_end(
        zero_shot="return made(resample_rate)",
        before="import functools\n@functools.lru_cache\ndef made(rate):\n    return torchaudio.transforms.Resample(16000, rate)\n")}),
    ("resample_cache", AVOIDED, {"cli/frontend.py": front_end(
        zero_shot="up = self.kept.get(resample_rate)\nif up is None:\n"
        f"    up = {RESAMPLE}.to('cpu')\n    self.kept[resample_rate] = up\nreturn up(prompt_speech_16k)")}),
    ("resample_cache", AVOIDED, {"cli/frontend.py": front_end(zero_shot=f"self.kept[resample_rate] = {RESAMPLE}.to('cuda').eval()")}),
    ("resample_cache", COSTLY, {"cli/frontend.py": front_end(zero_shot=f"self.audio = {RESAMPLE}(prompt_speech_16k)")}),
    ("resample_cache", AVOIDED, {"cli/frontend.py": front_end(init="self.up = torchaudio.transforms.Resample(16000, 24000)")}),
    ("resample_cache", NEITHER, {"cli/frontend.py": front_end(zero_shot="return torchaudio.functional.resample(tts_text, 1, 2)")}),
    ("resample_cache", NEITHER, {"data/augment.py": code("def augment(x):\n    return torchaudio.transforms.Resample(1, 2)(x)")}),
    ("prebuilt_resample", COSTLY, {"cli/frontend.py": front_end(zero_shot=f"return {RESAMPLE}(prompt_speech_16k)")}),
    ("prebuilt_resample", AVOIDED, {"cli/frontend.py": front_end(init="self.up = torchaudio.transforms.Resample(16000, 24000)")}),
    ("prebuilt_resample", NEITHER, {"cli/frontend.py": front_end(
        zero_shot="audio, rate = torchaudio.load(prompt_speech_16k)\nreturn torchaudio.transforms.Resample(rate, 24000)(audio)")}),
    ("prebuilt_resample", NEITHER, {"cli/frontend.py": front_end(zero_shot=f"self.kept[resample_rate] = {RESAMPLE}")}),
    ("precompiled_regex", COSTLY, {"cli/frontend.py": front_end(normalize="return re.split('[.!?]', text)")}),
    ("precompiled_regex", COSTLY, {"cli/frontend.py": front_end(normalize="return re.compile('[.!?]').split(text)")}),
    ("precompiled_regex", COSTLY, {
        "cli/frontend.py": front_end(normalize="return tidy(text)", before="from ..utils.texts import tidy"),
        "utils/texts.py": code("def tidy(text):\n    return re.sub('-+', '-', text)")}),
    ("precompiled_regex", AVOIDED, {"cli/frontend.py": front_end(normalize="return ENDS.split(text)", before="ENDS = re.compile('[.!?]')")}),
    ("precompiled_regex", AVOIDED, {"cli/frontend.py": front_end(init="self.ends = re.compile('[.!?]')")}),
    ("precompiled_regex", NEITHER, {"tools/names.py": code("def names(text):\n    return re.findall('[a-z]+', text)")}),
    ("cached_device", COSTLY, {"cli/frontend.py": front_end(
        zero_shot="return tts_text.to('cuda' if torch.cuda.is_available() else 'cpu')")}),
    ("cached_device", COSTLY, {"cli/cosyvoice.py": facade(zero_shot="yield torch.cuda.is_available()")}),
    ("cached_device", AVOIDED, {"cli/frontend.py": front_end(init=DEVICE)}),
    ("cached_device", AVOIDED, {"cli/cosyvoice.py": facade(init="if torch.cuda.is_available() is False:\n    fp16 = False")}),
    ("cached_device", NEITHER, {}),
    ("speaker_preregistration", COSTLY, {"cli/frontend.py": front_end(
        more=EXTRACTOR, zero_shot="return self._extract_speech_token(prompt_speech_16k)")}),
    ("speaker_preregistration", COSTLY, {"cli/frontend.py": front_end(
        more="""
            def listened(self, speech):
                return self.tokens_session.run(None, {'audio': speech})
        """,
        zero_shot="return self.listened(prompt_speech_16k)")}),
    ("speaker_preregistration", AVOIDED, {"cli/frontend.py": front_end(
        more=EXTRACTOR,
        zero_shot="if zero_shot_spk_id not in self.kept:\n"
        "    self.kept[zero_shot_spk_id] = self._extract_speech_token(prompt_speech_16k)\nreturn self.kept[zero_shot_spk_id]")}),
    ("speaker_preregistration", NEITHER, {}),
    ("batched_cleanup", COSTLY, {"cli/model.py": engine(tts="yield text\ntorch.cuda.empty_cache()")}),
    ("batched_cleanup", COSTLY, {"../service.py": code("""
        def speak(voice, pieces):
            for piece in pieces:
                yield from voice.inference_zero_shot(piece, '', None)
                gc.collect()
    """)}),
    ("batched_cleanup", COSTLY, {"../service.py": code("""
        class Service:
            def tidy(self):
                torch.cuda.empty_cache()

            def speak(self, pieces):
                for piece in pieces:
                    yield from self.voice.inference_sft(piece, 'a')
                    self.tidy()
    """)}),
    ("batched_cleanup", AVOIDED, {"../service.py": code("""
        def speak(voice, pieces):
            for piece in pieces:
                yield from voice.inference_zero_shot(piece, '', None)
            gc.collect()
    """)}),
    ("batched_cleanup", AVOIDED, {"../service.py": code("""
        def speak(voice, pieces):
            for number, piece in enumerate(pieces):
                yield from voice.inference_zero_shot(piece, '', None)
                if number % 8 == 7:
                    gc.collect()
    """)}),
    ("batched_cleanup", NEITHER, {"train/loop.py": code("def epoch(batches):\n    for batch in batches:\n        gc.collect()")}),
    ("unused_text_head", COSTLY, {"llm/qwen.py": code("""
        from transformers import Qwen2ForCausalLM

        class Steps:
            def __init__(self, path):
                self.model = Qwen2ForCausalLM.from_pretrained(path)

            def step(self, x, kept):
                out = self.model(inputs_embeds=x, past_key_values=kept, output_hidden_states=True)
                return out.hidden_states[-1], out.past_key_values
    """)}),
    ("unused_text_head", AVOIDED, {"llm/qwen.py": code("""
        from transformers import Qwen2ForCausalLM

        class Steps:
            def __init__(self, path):
                self.model = Qwen2ForCausalLM.from_pretrained(path)

            def step(self, x, kept):
                return self.model.model(inputs_embeds=x, past_key_values=kept).last_hidden_state
    """)}),
    ("unused_text_head", NEITHER, {"llm/qwen.py": code("""
        from transformers import Qwen2ForCausalLM

        class Chat:
            def __init__(self, path):
                self.model = Qwen2ForCausalLM.from_pretrained(path)

            def step(self, x, kept):
                return self.model(inputs_embeds=x, past_key_values=kept).logits
    """)}),
    ("hop_never_reset", COSTLY, {"cli/model.py": engine(
        init="self.hop = 25",
        tts="while text:\n    if len(text) > self.hop:\n        yield text\n        self.hop = min(100, self.hop * 2)")}),
    ("hop_never_reset", COSTLY, {"cli/model.py": engine(
        init="self.hop = 25", tts="while text:\n    ready = len(text) > self.hop\n    yield ready\n    self.hop *= 2")}),
    ("hop_never_reset", AVOIDED, {"cli/model.py": engine(
        init="self.hop = 25",
        tts="self.hop = 25\nwhile len(text) > self.hop:\n    yield text\n    self.hop = min(100, self.hop * 2)")}),
    ("hop_never_reset", AVOIDED, {"cli/model.py": engine(
        tts="hop = 25\nwhile len(text) > hop:\n    yield text\n    hop = min(100, hop * 2)")}),
    ("hop_never_reset", NEITHER, {"cli/model.py": engine(tts="at = 0\nwhile at < 9:\n    yield at\n    at = at + 1\n    self.n = self.n + at")}),
    ("hop_never_reset", COSTLY, {"cli/model.py": engine(
        init="self.hop = 25", tts="while len(text) > self.hop:\n    yield text\n    self.hop = min(self.most, self.hop + 25)")}),
    ("hop_never_reset", NEITHER, {"cli/model.py": engine(tts="while text:\n    yield text\n    self.calls += 1")}),
    ("prefix_recomputed", COSTLY, {"cli/model.py": engine(
        token2wav="mel = self.flow.inference(token=token)\nmel = mel[:, :, token_offset * 2:]\nreturn mel")}),
    ("prefix_recomputed", COSTLY, {"cli/model.py": engine(
        tts="offset = 0\nwhile stream:\n    yield self.token2wav(text[:offset + 25], None, offset)\n    offset += 25")}),
    ("prefix_recomputed", AVOIDED, {"cli/model.py": engine(tts="while text:\n    yield text[:25]\n    text = text[25:]")}),
    ("prefix_recomputed", NEITHER, {}),
    ("sampling_on_host", COSTLY, {"utils/draw.py": code("""
        def draw(scores):
            return scores.softmax(0).multinomial(1).item()
    """)}),
    ("sampling_on_host", COSTLY, {"utils/draw.py": code("""
        def draw(scores):
            total, kept = 0.0, []
            for i in range(len(scores)):
                if total < 0.8:
                    total += scores[i]
                    kept.append(scores[i])
            return torch.multinomial(torch.tensor(kept), 1)
    """)}),
    ("sampling_on_host", COSTLY, {"llm/steps.py": code("""
        class Steps:
            def drawn(self, scores):
                ids = self.sampling(scores)
                return None if self.stop in ids else ids
    """)}),
    ("sampling_on_host", AVOIDED, {"utils/draw.py": code("def draw(scores):\n    return scores.softmax(0).multinomial(1)")}),
    ("sampling_on_host", NEITHER, {"utils/draw.py": code("def draw(scores):\n    return scores.argmax().item()")}),
    ("masks_rebuilt", COSTLY, {"flow/net.py": code("""
        def chunk_mask(x):
            if x.sum().item() == 0:
                return None
            return x

        class Estimator:
            def forward(self, x, mask, mu, t):
                for block in self.blocks:
                    x = block(x, chunk_mask(mask))
                return x
    """)}),
    ("masks_rebuilt", AVOIDED, {"flow/net.py": code("""
        def chunk_mask(x):
            return x if torch.randint(1, 9, (1,)).item() > 4 else None

        class Estimator:
            def forward(self, x, mask, mu, t):
                return self.block(x, chunk_mask(mask))
    """)}),
    ("masks_rebuilt", NEITHER, {"flow/net.py": code("class Encoder:\n    def forward(self, x, mask):\n        return x * mask.sum().item()")}),
    ("sleeping_to_wait", COSTLY, {"cli/model.py": engine(tts="while stream:\n    time.sleep(0.1)\n    yield text")}),
    ("sleeping_to_wait", AVOIDED, {"cli/model.py": engine(tts="while stream:\n    yield self.ready.get()")}),
    ("sleeping_to_wait", NEITHER, {"cli/model.py": engine(tts="time.sleep(0.1)\nwhile stream:\n    yield self.known.get(text)")}),
    ("cache_grows", COSTLY, {"llm/own.py": code("""
        class Attention:
            def forward(self, k, v, key_cache):
                return torch.cat([key_cache, k], dim=2)
    """)}),
    ("cache_grows", AVOIDED, {"llm/own.py": code("""
        from transformers import Qwen2ForCausalLM, StaticCache

        class Steps:
            def __init__(self, path):
                self.model = Qwen2ForCausalLM.from_pretrained(path)
                self.kept = StaticCache(self.model.config)

            def step(self, x):
                return self.model.model(inputs_embeds=x, past_key_values=self.kept)
    """)}),
    ("cache_grows", NEITHER, {"llm/own.py": code("def joined(a, b):\n    return torch.cat([a, b], dim=1)")}),
    ("onnx_on_one_thread", COSTLY, {"cli/frontend.py": front_end(
        init="how = onnxruntime.SessionOptions()\nhow.intra_op_num_threads = 1\n"
        "self.ear = onnxruntime.InferenceSession(model_dir, sess_options=how, providers=['CPUExecutionProvider'])")}),
    ("onnx_on_one_thread", COSTLY, {"cli/frontend.py": front_end(init="self.ear = onnxruntime.InferenceSession(model_dir)")}),
    ("onnx_on_one_thread", AVOIDED, {"cli/frontend.py": front_end(
        init="how = onnxruntime.SessionOptions()\nhow.intra_op_num_threads = 8\n"
        "self.ear = onnxruntime.InferenceSession(model_dir, providers=['CUDAExecutionProvider', 'CPUExecutionProvider'])")}),
    ("onnx_on_one_thread", NEITHER, {}),
    ("weight_norm_kept", COSTLY, {"voice/net.py": code("""
        from torch.nn.utils.parametrizations import weight_norm
        from torch.nn.utils import remove_weight_norm

        class Vocoder:
            def __init__(self):
                self.first = weight_norm(torch.nn.Conv1d(1, 1, 1))

            def remove_weight_norm(self):
                remove_weight_norm(self.first)
    """)}),
    ("weight_norm_kept", AVOIDED, {
        "cli/model.py": engine(more="def load(self, path):\n    self.hift.remove_weight_norm()\n"),
        "voice/net.py": code("""
            from torch.nn.utils import weight_norm

            class Vocoder:
                def __init__(self):
                    self.first = weight_norm(torch.nn.Conv1d(1, 1, 1))
        """)}),
    ("weight_norm_kept", NEITHER, {"voice/net.py": code("""
        from torch.nn.utils import weight_norm

        class ScaleDiscriminator:
            def __init__(self):
                self.first = weight_norm(torch.nn.Conv1d(1, 1, 1))
    """)}),
    ("host_round_trips", COSTLY, {"cli/model.py": engine(init="self.window = np.hamming(160)")}),
    ("host_round_trips", COSTLY, {"utils/fade.py": code("""
        def fade(new, old, window):
            device = new.device
            new = new.cpu()
            return (new * window).to(device)
    """)}),
    ("host_round_trips", COSTLY, {"flow/net.py": code("""
        class Flow:
            def __init__(self):
                self.noise = torch.randn(1, 80, 100)

            def forward(self, mu):
                return self.noise[:, :, : mu.size(2)].to(mu.device)
    """)}),
    ("host_round_trips", AVOIDED, {"flow/net.py": code("""
        class Flow:
            def __init__(self):
                self.register_buffer("noise", torch.randn(1, 80, 100))

            def forward(self, mu):
                return self.noise[:, :, : mu.size(2)]
    """)}),
    ("host_round_trips", NEITHER, {
        "cli/model.py": engine(init="self.window = np.hamming(160).astype(np.float32)"),
        "flow/net.py": code("""
            class Table:
                def __init__(self):
                    self.table = torch.zeros(1, 80)

                def forward(self, x):
                    self.table = self.table.to(x.device)
                    return x + self.table
        """)}),
    ("float32_weights", COSTLY, {"cli/model.py": engine(more="def load(self, path):\n    self.flow.to(self.device).eval()\n")}),
    ("float32_weights", AVOIDED, {"cli/model.py": engine(
        init="if fp16:\n    self.flow.half()", more="def load(self, path):\n    self.flow.to(self.device).eval()\n")}),
    ("float32_weights", AVOIDED, {"cli/model.py": engine(more="def load(self, path):\n    self.flow.to(self.device, torch.bfloat16)\n")}),
    ("float32_weights", NEITHER, {}),
]  # fmt: skip


def found_in(folder: Path, rule: str, files: dict[str, str]) -> Finding:
    inspection = inspect(written(folder, files))
    (finding,) = [finding for finding in inspection.findings if finding.id == rule]
    return finding


@pytest.mark.parametrize(
    ("rule", "which", "files"),
    CASES,
    ids=[f"{rule}-{('costly', 'avoided', 'neither')[which]}" for rule, which, _ in CASES],
)
def test_a_rule_tells_code_that_costs_from_code_that_avoids_it_and_from_neither(
    rule: str, which: int, files: dict[str, str], tmp_path: Path
) -> None:
    finding = found_in(tmp_path, rule, files)
    assert finding.state == STATES[finding.kind][which], (finding.costs, finding.avoided)
    assert bool(finding.costs) == (which == COSTLY)
    assert bool(finding.avoided) or which != AVOIDED
    assert bool(finding.reason) == (which == NEITHER), "where nothing stands, the reason is said"


def test_each_rule_is_tried_on_all_three_sides() -> None:
    tried = {(rule, which) for rule, which, _ in CASES}
    assert tried == {(rule.id, which) for rule in RULES for which in (COSTLY, AVOIDED, NEITHER)}


def test_every_toggle_of_speech_has_a_rule_and_every_rule_says_why() -> None:
    speech = {name for name, toggle in registry().items() if set(toggle.sites) <= set(SPEECH_SITES)}
    assert {rule.id for rule in RULES if rule.kind == "toggle"} == speech
    assert all(rule.why.endswith(".") for rule in RULES)
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_every_toggle_of_somebody_elses_code_mends_one_loss() -> None:
    toggles = sorted(name for name, toggle in registry().items() if set(toggle.sites) <= set(CHECKOUT_SITES))
    assert sorted(rule.mended_by for rule in RULES if rule.mended_by) == toggles
    assert all(rule.kind == "loss" for rule in RULES if rule.mended_by)
    page = (Path(__file__).parents[2] / "docs" / "inspect.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(" `"): line for line in page.splitlines() if line.startswith("| `")}
    assert all(("mended by" in rows[rule.id]) == bool(rule.mended_by) for rule in RULES)
    assert all(rows[rule.id].endswith(f"; mended by `{rule.mended_by}` |") for rule in RULES if rule.mended_by)


def test_a_place_is_the_line_that_it_quotes(tmp_path: Path) -> None:
    finding = found_in(
        tmp_path, "batched_cleanup", {"cli/model.py": engine(tts="yield text\ntorch.cuda.empty_cache()")}
    )
    (evidence,) = finding.costs
    lines = (tmp_path / evidence.place.file).read_text(encoding="utf-8").splitlines()
    assert lines[evidence.place.line - 1].strip() == evidence.place.code == "torch.cuda.empty_cache()"
    assert evidence.place.function == "Speaker.tts"


def test_a_toggle_applies_as_long_as_one_place_is_left(tmp_path: Path) -> None:
    files = {
        "cli/model.py": engine(init="self._gpu = torch.cuda.is_available()", tts="yield torch.cuda.is_available()")
    }
    finding = found_in(tmp_path, "cached_cuda_check", files)
    assert finding.state == "applies"
    assert [len(finding.costs), len(finding.avoided)] == [1, 1]


def test_the_remover_of_weight_norm_that_raises_is_told(tmp_path: Path) -> None:
    source = next(files for rule, which, files in CASES if (rule, which) == ("weight_norm_kept", COSTLY))
    assert "raises" in found_in(tmp_path, "weight_norm_kept", source).costs[0].says


def test_other_peoples_code_beside_cosyvoice_is_not_judged(tmp_path: Path) -> None:
    loud = code("def stream():\n    while True:\n        time.sleep(1)\n        yield 1")
    assert found_in(tmp_path, "sleeping_to_wait", {"../matcha/stream.py": loud}).state == "not there"
    assert found_in(tmp_path, "sleeping_to_wait", {"utils/stream.py": loud, "llm/llm.py": LLM}).state == "found"
