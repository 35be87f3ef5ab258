// The transforms of Winograd's minimal filtering F(m, r): m outputs of a kernel of r taps from the n = m + r − 1 inputs
// that they see, by n products in place of m·r (Lavin & Gray, arXiv:1509.09308). In two dimensions each applies along
// either axis: y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A, and for gradients dw = Gᵀ[(A dy Aᵀ) ⊙ (Bᵀ d B)]G and
// dd = B[(G w Gᵀ) ⊙ (A dy Aᵀ)]Bᵀ.
//
// A and G evaluate a polynomial whose coefficients are their operand at n points, 3 to 9: pairs ±p, 0 where n is even,
// and ∞; G divides by N_j = Π (a_j − a_l). So B depends on n alone: F(4,3) and F(2,5) share it. The pairs are those
// that keep errors least, found by descent on Σ_j A²_ij·ΣB²_j·ΣG²_j (winograd_form.cc): ±11/16 and ±3/2 have less than
// half the error of the usual ±1 and ±2. Root mean square errors of 256 channels, relative to the result: direct sums
// 6e-7, F(2,3) 5e-7, F(4,3) 1.2e-6, F(5,3) 2.3e-6, F(6,3) 6.6e-6, F(7,3) 1.4e-5.
//
// A convolution of stride s is the sum of s of stride 1, each of every s-th input and tap: their points lie one after
// the other. One of a single tap is a product by input, without a transform.
//
// Each function makes the whole transformed vector of a vector of scalars; with `mux(i, …)` and i unrolled that is
// straight-line code without a matrix.
#pragma once

#include <vector>

#include "Halide.h"
#include "compiler/kernels/layout.h"
#include "schedules/targets/target.h"

namespace convoke {

struct Filtering {
  int outputs, taps, stride = 1;                                // m, r, s
  int points() const { return stride * (outputs - 1) + taps; }  // and inputs
};

using Exprs = std::vector<Halide::Expr>;

// element(0), element(1), …
template <typename Element>
Exprs vector_of(int size, Element element) {
  Exprs elements;
  for (int e = 0; e < size; ++e) elements.push_back(element(Halide::Expr(e)));
  return elements;
}

Exprs winograd_input(const Filtering& filtering, const Exprs& d);             // Bᵀ d: n → n
Exprs winograd_kernel(const Filtering& filtering, const Exprs& w);            // G w: r → n
Exprs winograd_output(const Filtering& filtering, const Exprs& products);     // Aᵀ p: n → m
Exprs winograd_output_gradient(const Filtering& filtering, const Exprs& dy);  // A dy: m → n
Exprs winograd_kernel_gradient(const Filtering& filtering, const Exprs& p);   // Gᵀ p: n → r
Exprs winograd_input_gradient(const Filtering& filtering, const Exprs& p);    // B p: n → n

// Whether both axes of a tile are unrolled. With half as many registers most of it is spilled: one axis stays a loop.
constexpr bool unrolls_tiles(const TargetSpec& target) { return target.vector_registers >= 32; }

// G w Gᵀ of every kernel of a weight (kx, ky, ci, co) of type f32[co,ci,ky,kx]: (i, j, ci, co) with i along x. In
// float: the weights of F(4×4,3×3) are then off by 3e-8 (relative L2), by 1.5e-8 if only rounded at last; its sums by
// no more.
Halide::Func winograd_weights(const Halide::Func& weight, const Type& type, const KernelTransform& transform);

}  // namespace convoke
