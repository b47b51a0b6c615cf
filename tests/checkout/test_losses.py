"""Toggles that mend the losses of the public code, on a small CosyVoice of our own that has them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from harness.optimizations import CHECKOUT_SITES, named, registry
from harness.optimizations.witness import judge
from harness.worker.checkout.model import CheckoutModel
from harness.worker.checkout.toggles import fused_sampling, mask_reuse
from harness.worker.checkout.toggles.toggle import NOT_PUT_BACK
from harness.worker.requests import Request
from tests.checkout.lossy import parts
from tests.checkout.speaking import counted, spoken

LOSSES = tuple(sorted(name for name, toggle in registry().items() if set(toggle.sites) <= set(CHECKOUT_SITES)))
OFFLINE = ("skipped_text_head", "mask_reuse", "folded_weight_norm", "fused_sampling")
GROWS = {"done += self.hop": "done += self.hop; self.hop *= 2"}
TAKEN_OFF = """from torch.nn.utils import weight_norm as normed, remove_weight_norm
weight_norm = lambda part: remove_weight_norm(normed(part))
"""
Load = Callable[..., CheckoutModel]
Make = Callable[..., Request]


def lossy(loaded: Load, replaced: dict[str, str] | None = None, **more: Any) -> CheckoutModel:
    return loaded(files=parts(), replaced=replaced, **more)


def test_the_six_and_every_loss_are_known_to_the_adapter(loaded: Load) -> None:
    assert set(LOSSES) < set(loaded().toggles)
    assert set(OFFLINE) <= set(LOSSES)


@pytest.mark.parametrize("stream", [False, True], ids=["offline", "streaming"])
@pytest.mark.parametrize("toggle", OFFLINE)
def test_a_loss_is_mended_by_its_witness_and_the_output_stays_the_same_bits(
    loaded: Load, request_of: Make, toggle: str, *, stream: bool
) -> None:
    model = lossy(loaded)
    assert toggle not in {**model.not_applicable(), **model.already_present()}
    before, spoken_before = counted(model, toggle, request_of(stream=stream), state=False)
    after, spoken_after = counted(model, toggle, request_of(stream=stream), state=True)
    witness = named(toggle).witness
    assert judge(before, after, witness.before, witness.expected_after({})) == ""
    for output in (*spoken_before, *spoken_after):
        assert output.tokens == spoken_before[0].tokens
        assert output.audio.tobytes() == spoken_before[0].audio.tobytes()


@pytest.mark.parametrize("toggle", LOSSES)
def test_an_arm_that_was_bound_while_its_witness_counted_speaks_afterwards_too(
    loaded: Load, request_of: Make, toggle: str
) -> None:
    model = lossy(loaded, GROWS)
    with model.probe(toggle, {})():
        inside = model.bind({toggle: True}, [])
    outside = model.bind({toggle: True}, [])
    told = inside.run(request_of(stream=True), lambda _: None)
    with model.probe(toggle, {})():
        counted_too = outside.run(request_of(stream=True), lambda _: None)
    assert told.audio.tobytes() == counted_too.audio.tobytes()


def test_networks_are_what_they_were_after_requests_with_every_mended_loss(loaded: Load, request_of: Make) -> None:
    model = lossy(loaded)
    engine = model._code.engine
    modules = [module for network in (engine.llm, engine.flow, engine.hift) for module in network.modules()]
    before = [(dict(vars(module)), dict(vars(type(module)))) for module in modules]
    target = model.bind(dict.fromkeys(LOSSES, True), [request_of().speaker])
    target.activate()
    assert [(dict(vars(module)), dict(vars(type(module)))) for module in modules] != before
    target.deactivate()
    for stream in (False, True):
        target.run(request_of(stream=stream), lambda _: None)
    assert [(dict(vars(module)), dict(vars(type(module)))) for module in modules] == before


def test_a_plain_code_has_nothing_to_mend_and_says_what_is_not_there(loaded: Load) -> None:
    lacking = loaded().not_applicable()
    assert lacking["skipped_text_head"] == "no part of Words holds a causal language model with a text head"
    assert lacking["mask_reuse"] == "no part of Flow is an estimator: a forward of x, mask, mu, t"
    assert lacking["folded_weight_norm"] == "no part of Vocoder has weight norm"
    assert lacking["hop_reset"] == "Speaker.tts lets no chunk length grow that the engine keeps"
    assert lacking["frontend_threads"] == "Inputs holds no ONNX session"
    assert lacking["fused_sampling"] == "Words holds no sampling function"
    assert "event_wait" not in lacking


def test_an_engine_that_does_not_sleep_has_nothing_to_be_woken_from(loaded: Load) -> None:
    told = loaded(replaced={"time.sleep(0.001)": "pass"}).not_applicable()["event_wait"]
    assert told == "Speaker.tts does not sleep to wait for tokens"


def test_a_step_that_reads_the_scores_keeps_its_head(loaded: Load) -> None:
    model = lossy(loaded, {"return made.hidden_states[-1]": "made.logits; return made.hidden_states[-1]"})
    assert model.not_applicable()["skipped_text_head"] == "Steps reads the scores of the text head"


def test_a_step_that_calls_the_layers_has_it_already_and_before_has_the_head_again(
    loaded: Load, request_of: Make
) -> None:
    mended = {
        "made = self.model(inputs": "made = self.model.model(inputs",
        "made.hidden_states[-1]": "made.last_hidden_state",
    }
    model = lossy(loaded, mended)
    assert model.already_present()["skipped_text_head"] == "Steps reads last_hidden_state, which the layers alone give"
    before, spoken_before = counted(model, "skipped_text_head", request_of(), state=False)
    after, spoken_after = counted(model, "skipped_text_head", request_of(), state=True)
    assert judge(before, after, "every request", "none") == ""
    assert spoken_before[0].audio.tobytes() == spoken_after[0].audio.tobytes()


def test_masks_that_hide_something_are_built_as_before(loaded: Load, request_of: Make) -> None:
    model = lossy(loaded, {"HIDDEN = 0": "HIDDEN = 2"})
    before, spoken_before = counted(model, "mask_reuse", request_of(), state=False)
    after, spoken_after = counted(model, "mask_reuse", request_of(), state=True)
    assert before.per_request == after.per_request
    assert spoken_before[0].audio.tobytes() == spoken_after[0].audio.tobytes()


def test_masks_of_many_lengths_are_not_all_kept(
    loaded: Load, request_of: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mask_reuse, "KEPT", 4)
    model = lossy(loaded)
    requests = [request_of(text="a" * length) for length in (1, 2, 3, 1)]
    plain, reusing = model.bind({}, []), model.bind({"mask_reuse": True}, [])
    for request in requests:
        expected, output = (target.run(request, lambda _: None) for target in (plain, reusing))
        assert output.audio.tobytes() == expected.audio.tobytes()


def test_an_estimator_that_builds_no_mask_that_reads_a_value_has_it_already(loaded: Load) -> None:
    model = lossy(loaded, {"(masks.sum(dim=-1) == 0).sum().item() != 0": "masks.shape[-1] == 0"})
    assert model.already_present()["mask_reuse"] == f"Estimator builds no mask that reads a value; {NOT_PUT_BACK}"


@pytest.mark.parametrize(
    ("torch_has", "said"),
    [
        ("from torch.nn.utils import weight_norm", "applies"),
        (TAKEN_OFF, "present"),
    ],
    ids=["older kind", "taken off"],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_weight_norm_of_torchs_older_kind_is_folded_too_and_where_it_is_off_that_is_said(
    loaded: Load, request_of: Make, torch_has: str, said: str
) -> None:
    model = lossy(loaded, {"from torch.nn.utils.parametrizations import weight_norm": torch_has})
    present = model.already_present().get("folded_weight_norm", "")
    assert present == (f"Vocoder has its weight norm taken off; {NOT_PUT_BACK}" if said == "present" else "")
    before, spoken_before = counted(model, "folded_weight_norm", request_of(), state=False)
    after, spoken_after = counted(model, "folded_weight_norm", request_of(), state=True)
    assert judge(before, after, "every request", "none") == (
        "" if said == "applies" else judge(before, before, "none", "none")
    )
    assert spoken_before[0].audio.tobytes() == spoken_after[0].audio.tobytes()


def test_a_chunk_length_that_has_grown_is_set_back_for_each_text(loaded: Load, request_of: Make) -> None:
    model = lossy(loaded, GROWS)
    before, spoken_before = counted(model, "hop_reset", request_of(stream=True), state=False)
    after, spoken_after = counted(model, "hop_reset", request_of(stream=True), state=True)
    witness = named("hop_reset").witness
    assert judge(before, after, witness.before, witness.expected_after({})) == ""
    assert before.per_request[0] < before.per_request[1] < before.per_request[2]
    assert len({output.audio.tobytes() for output in spoken_after}) == 1
    assert spoken_after[0].tokens == spoken_before[0].tokens


def test_with_the_chunk_length_set_back_later_requests_have_as_many_chunks_as_the_first(
    loaded: Load, request_of: Make
) -> None:
    model = lossy(loaded, GROWS)
    heard: dict[bool, list[int]] = {}
    for state in (False, True):
        target = model.bind({"hop_reset": state}, [])
        heard[state] = []
        for _ in range(2):
            chunks: list[int] = []
            target.run(request_of(text="a" * 20, stream=True), chunks.append)
            heard[state].append(len(chunks))
    assert heard[False][1] < heard[False][0] == heard[True][0] == heard[True][1]


@pytest.mark.parametrize("where", ["in tts", "elsewhere"])
def test_an_engine_that_sets_its_chunk_length_back_has_it_already(loaded: Load, where: str) -> None:
    replaced = dict(GROWS)
    replaced |= (
        {"done = 0\n": "done = 0; self.hop = 8\n"}
        if where == "in tts"
        else {"def vc_job": "def rest(self):\n        self.hop = 8\n\n    def vc_job"}
    )
    told = lossy(loaded, replaced).already_present()["hop_reset"]
    assert told == f"Speaker sets self.hop back in {'tts' if where == 'in tts' else 'rest'}; {NOT_PUT_BACK}"


def test_a_mere_counter_is_no_chunk_length(loaded: Load) -> None:
    model = lossy(loaded, {"self.hop = 8": "self.hop = 8; self.turns = 0", "done = 0\n": "done = 0; self.turns += 1\n"})
    assert "hop_reset" in model.not_applicable()


def test_a_stream_is_woken_up_for_tokens_instead_of_sleeping(loaded: Load, request_of: Make) -> None:
    model = lossy(loaded)
    before, spoken_before = counted(model, "event_wait", request_of(stream=True), state=False)
    after, spoken_after = counted(model, "event_wait", request_of(stream=True), state=True)
    assert judge(before, after, named("event_wait").witness.before, "none") == ""
    assert {output.audio.tobytes() for output in (*spoken_before, *spoken_after)} == {spoken_before[0].audio.tobytes()}


def test_a_stream_is_woken_up_where_the_thread_that_makes_tokens_ends(
    loaded: Load, request_of: Make, speaker: Any
) -> None:
    model = lossy(loaded, {"time.sleep(0.001)": "time.sleep(30)"})
    target = model.bind({"event_wait": True}, [])
    assert len(target.run(request_of(stream=True), lambda _: None).tokens) > 0
    converted = request_of(mode="voice_conversion", source=speaker.audio, stream=True)
    assert len(target.run(converted, lambda _: None).tokens) > 0


def test_a_stream_is_woken_up_where_the_thread_that_makes_tokens_fails(loaded: Load, request_of: Make) -> None:
    failing = lossy(
        loaded, {"time.sleep(0.001)": "time.sleep(30)", "yield token\n": "raise ArithmeticError('no words')\n"}
    )
    with pytest.raises(ArithmeticError, match="no words"):
        failing.bind({"event_wait": True}, []).run(request_of(stream=True), lambda _: None)


@pytest.mark.parametrize("item", [True, False], ids=["number", "tensor"])
def test_the_fused_nucleus_draws_the_same_tokens_in_either_form(loaded: Load, request_of: Make, *, item: bool) -> None:
    model = loaded(files=parts(item=item))
    before, spoken_before = counted(model, "fused_sampling", request_of(), state=False)
    after, spoken_after = counted(model, "fused_sampling", request_of(), state=True)
    assert judge(before, after, "every request", "fewer") == ""
    assert spoken_before[0].tokens == spoken_after[0].tokens
    assert 4 * after.total < before.total


def test_the_likeliest_are_as_many_as_torch_adds_up_one_by_one() -> None:
    generator = torch.Generator().manual_seed(0)
    for top_p in (0.1, 0.5, 0.8, 1.0):
        for _ in range(50):
            values = torch.randn(40, generator=generator).mul(3).softmax(dim=0).sort(descending=True).values
            total: Any = 0.0
            count = 0
            while count < len(values) and total < top_p:
                total = total + values[count]
                count += 1
            assert fused_sampling.likeliest(values.tolist(), top_p) == count


def test_scores_of_half_precision_go_to_the_code_as_it_stands(loaded: Load) -> None:
    model = lossy(loaded)
    module, name, nucleus = model._toggles["fused_sampling"]._nucleus()  # type: ignore[attr-defined]  # one of its kind
    assert name == "from_nucleus"
    scores = torch.randn(50, generator=torch.Generator().manual_seed(0)).log_softmax(dim=0).to(torch.float64)
    drawn = []
    for function in (nucleus, fused_sampling.fused(nucleus)):
        torch.manual_seed(3)
        drawn.append([function(scores, 0.8, 25) for _ in range(20)])
    assert drawn[0] == drawn[1]
    assert vars(module)[name] is nucleus


NET = """import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = {threads}
        self.net = onnxruntime.InferenceSession(weights + "/net.onnx", sess_options=options, providers=["CPUExecutionProvider"])"""
EMBEDS = {
    "return speech.mean(dim=1).to(self.device)": (
        'return torch.from_numpy(self.net.run(None, {"x": speech.mean(dim=1).numpy()})[0]).to(self.device)'
    )
}


def with_net(loaded: Load, folder: Path, threads: int) -> CheckoutModel:
    (folder / "code" / "weights").mkdir(parents=True, exist_ok=True)
    sides = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in "xy"]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Tanh", ["x"], ["y"])], "net", sides[:1], sides[1:])
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(made, folder / "code" / "weights" / "net.onnx")
    return lossy(loaded, EMBEDS, front_end_init=NET.replace("{threads}", str(threads)))


def test_sessions_of_the_front_end_get_threads_in_the_arm_that_has_them_alone(
    loaded: Load, request_of: Make, tmp_path: Path
) -> None:
    model = with_net(loaded, tmp_path, threads=1)
    own = model._code.front_end.net
    before, spoken_before = counted(model, "frontend_threads", request_of(), state=False)
    after, spoken_after = counted(model, "frontend_threads", request_of(), state={"threads": 3})
    wrong, _ = counted(model, "frontend_threads", request_of(), state=True)
    witness = named("frontend_threads").witness
    with model.probe("frontend_threads", {"threads": 3})() as tally:
        spoken(model, request_of(), {"frontend_threads": True})
    assert tally.count == 0
    for counts in (after, wrong):
        assert judge(before, counts, witness.before, witness.expected_after({})) == ""
    assert spoken_before[0].audio.tobytes() == spoken_after[0].audio.tobytes()
    assert model._code.front_end.net is own
    assert own.get_session_options().intra_op_num_threads == 1


def test_sessions_that_have_several_threads_are_left_alone(loaded: Load, tmp_path: Path) -> None:
    told = with_net(loaded, tmp_path, threads=0).not_applicable()["frontend_threads"]
    assert told == "Inputs's sessions leave their threads to onnxruntime, or have several"
