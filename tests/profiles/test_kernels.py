"""Names of kernels, as torch.profiler wrote them on an H200."""

from __future__ import annotations

import pytest

from harness.profiles.kernels import short_name
from harness.profiles.operators import traced

LAMBDA = "::{lambda()#1}::operator()() const::{lambda()#2}::operator()() const::{lambda(float)#1}"
SILU = f"at::native::(anonymous namespace)::silu_kernel(at::TensorIteratorBase&){LAMBDA}"
MUL = "at::native::BinaryFunctor<float, float, float, at::native::binary_internal::MulFunctor<float> >"
CALL, IT = "at::native::gpu_kernel_impl_nocast<", "at::TensorIteratorBase&"
COPY = "at::native::direct_copy_kernel_cuda(at::TensorIteratorBase&)" + LAMBDA
GEMV = "int, float, cublasGemvParamsEx<int, cublasGemvTensorStridedBatched<float const>, float>"


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("sm80_xmma_gemm_f32f32_execute_kernel__5x_cublas", "sm80_xmma_gemm_f32f32_execute_kernel__5x_cublas"),
        ("Memcpy DtoH (Device -> Pageable)", "Memcpy DtoH (Device -> Pageable)"),
        ("Memset (Device)", "Memset (Device)"),
        ("fmha_cutlassF_f32(PyTorchMemEffAttention::AttentionKernel<float, true>::Params)", "fmha_cutlassF_f32"),
        (f"void at::native::vectorized_elementwise_kernel<4, {SILU}, std::array<char*, 2ul> >(int, {SILU})",
         "vectorized_elementwise_kernel: silu_kernel"),
        (f"void at::native::elementwise_kernel<128, 2, {CALL}{MUL} >({IT}, {MUL} const&)::{{lambda(int)#1}}>(int, ...)",
         "elementwise_kernel: MulFunctor"),
        (f"void at::native::elementwise_kernel<128, 2, at::native::gpu_kernel_impl_nocast<{COPY}>(at::Tensor",
         "elementwise_kernel: direct_copy_kernel_cuda"),
        ("void at::native::(anonymous namespace)::vectorized_layer_norm_kernel<float, float, false>(int, float)",
         "vectorized_layer_norm_kernel"),
        (f"std::enable_if<!(false), void>::type internal::gemvx::kernel<int, {GEMV} >({GEMV})", "gemvx::kernel"),
        ("void cutlass::Kernel2<cutlass_80_simt_sgemm_128x64_8x5_tn_align1>(cutlass_80_simt_sgemm::Params)",
         "cutlass_80_simt_sgemm_128x64_8x5_tn_align1"),
        ("void at::native::reduce_kernel<512, 1, at::native::ReduceOp<float, at::native::MeanOps<float> > >(int)",
         "reduce_kernel: MeanOps"),
        ("void mine::Conv<float>::run(float*)", "run"),
        ("triton_poi_fused_add_0", "triton_poi_fused_add_0"),
        ("", ""),
        ("void f<", "f"),
        ("operator<", "operator"),
    ],
)  # fmt: skip
def test_what_runs_is_told_without_the_types_of_its_template(name: str, short: str) -> None:
    assert short_name(name) == short


def test_kernels_have_a_short_name_and_the_whole_one_and_callers_and_operators_keep_theirs() -> None:
    whole = f"void at::native::vectorized_elementwise_kernel<4, {SILU}>({SILU})"
    rows = [{"name": whole, "calls": 2, "own_s": 1.0}, {"name": "plain", "calls": 1, "own_s": 0.5}]
    counted = {"requests": 1, "operators": [{"name": "aten::f<x>", "calls": 1, "own_s": 1.0}], "kernels": rows,
               "launches": 3, "device": None}  # fmt: skip
    found = traced(None, ("all", [counted]))
    assert [(row.name, row.whole) for row in found.kernels] == [
        ("vectorized_elementwise_kernel: silu_kernel", whole), ("plain", ""),
    ]  # fmt: skip
    assert [(row.name, row.whole) for row in found.operators] == [("aten::f<x>", "")]
