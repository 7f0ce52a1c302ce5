/* 3-4-1 on 4 samples as an expert writes it in C: any order of sums, any formula, fixed shapes.

One run is a chain of dependent operations, so all is done to make that short. Weights stay in
registers. A vector holds two samples of all four hidden units, and in the output layer all samples.
Lengths of the chain are saved by

- exp from a table of 2**(k/16) and a polynomial of degree 6, about 1 ULP as ours is;
- 1 + exp as one fused multiply-add at the end of it;
- the reciprocal as a quotient 1/d = s + s t, s = y + y e: an estimate y of 14 bits, e = 1 - d y and
  t = e**2 (a vector of divisions would take 22 cycles, and the next one could start only after 16).
  What is multiplied by it is multiplied by y early;
- the sum over samples in two halves that are swapped and added last.

Only for AVX-512, of which nearly every line above makes use.

-Ofast alone, which may reorder sums, took 74 ns instead of 65; the divider instead of the estimate
73; with all of our recipes (peer_c_same.c) 83. */

#include "peer_c.h"

typedef struct {
    vec y, e, t;
} quotient;

INLINE quotient one_over_1_plus_exp_negative(vec a) {
    const vec low_powers = {0x1.0000000000000p+0, 0x1.0b5586cf9890fp+0, 0x1.172b83c7d517bp+0,
                           0x1.2387a6e756238p+0, 0x1.306fe0a31b715p+0, 0x1.3dea64c123422p+0,
                           0x1.4bfdad5362a27p+0, 0x1.5ab07dd485429p+0};
    const vec high_powers = {0x1.6a09e667f3bcdp+0, 0x1.7a11473eb0187p+0, 0x1.8ace5422aa0dbp+0,
                            0x1.9c49182a3f090p+0, 0x1.ae89f995ad3adp+0, 0x1.c199bdd85529cp+0,
                            0x1.d5818dcfba487p+0, 0x1.ea4afa2a490dap+0};
    vec t = fmadd(a, all(-LOG2E), all(0x1.8p48)); // the last 4 bits are sixteenths
    __asm__("" : "+v"(t));                        // or -Ofast undoes the rounding
    vec n = t - 0x1.8p48;
    vec r = a + n * LN2_HIGH; // exp(-a) = 2**n * exp(-r)
    vec linear = (1.0 - r) - n * LN2_LOW;
    vec power = _mm512_permutex2var_pd(low_powers, (__m512i)t, high_powers);
    power = _mm512_scalef_pd(power, _mm512_min_pd(n, all(1020.0)));
    vec r2 = r * r;
    vec low = 0x1.0000000000005p-1 + r * -0x1.5555555491382p-3;
    vec high = 0x1.5555555461e08p-5 + r * -0x1.111239d7074bbp-7;
    vec rest = low + r2 * (high + r2 * 0x1.6c185c23648f9p-10);
    vec d = (1.0 + power * linear) + (r2 * power) * rest;
    vec y = _mm512_rcp14_pd(d);
    vec e = 1.0 - d * y;
    return (quotient){y, e, e * e};
}

INLINE vec start_of(quotient q) { return q.y + q.y * q.e; }

INLINE vec sigmoid(vec a) {
    quotient q = one_over_1_plus_exp_negative(a);
    vec s = start_of(q);
    return s + s * q.t;
}
INLINE vec halves_swapped(vec a) { return __builtin_shufflevector(a, a, 4, 5, 6, 7, 0, 1, 2, 3); }
INLINE vec pairs_swapped(vec a) { return __builtin_shufflevector(a, a, 2, 3, 0, 1, 6, 7, 4, 5); }
INLINE vec evens(vec a, vec b) { return __builtin_shufflevector(a, b, 0, 8, 2, 10, 4, 12, 6, 14); }
INLINE vec odds(vec a, vec b) { return __builtin_shufflevector(a, b, 1, 9, 3, 11, 5, 13, 7, 15); }

/* One run: w0 and c0 (3, 4), w1 and c1 (4,). */
void train(const double *X, const double *y, double *w0, double *w1, double alpha,
           int64_t iterations, int64_t record_every, double *errors, int64_t *c0, int64_t *c1) {
    vec x[3][2], W[3], V;
    for (int lane = 0; lane < 8; lane++) {
        for (int d = 0; d < 3; d++) {
            for (int k = 0; k < 2; k++) x[d][k][lane] = X[3 * (2 * k + lane / 4) + d];
            W[d][lane] = w0[4 * d + lane % 4];
        }
        V[lane] = w1[lane % 4];
    }
    const vec Y = {y[0], y[2], y[0], y[2], y[1], y[3], y[1], y[3]};
    ivec before[4] = {}, changes[4] = {}, first[4] = {};
    int64_t next = 0;
    for (int64_t j = 0; j < iterations; j++) {
        vec a0 = x[0][0] * W[0] + x[1][0] * W[1] + x[2][0] * W[2];
        vec a1 = x[0][1] * W[0] + x[1][1] * W[1] + x[2][1] * W[2];
        quotient q0 = one_over_1_plus_exp_negative(a0), q1 = one_over_1_plus_exp_negative(a1);
        vec p0 = q0.y * V, p1 = q1.y * V; // to become units times V
        p0 += p0 * q0.e;
        p1 += p1 * q1.e;
        p0 += p0 * q0.t;
        p1 += p1 * q1.t;
        vec sum = evens(p0, p1) + odds(p0, p1);
        quotient q = one_over_1_plus_exp_negative(sum + pairs_swapped(sum));

        // While that is under way: hidden units, and their slopes times V.
        vec h0 = start_of(q0), h1 = start_of(q1);
        h0 += h0 * q0.t;
        h1 += h1 * q1.t;
        vec s0 = (p0 - p0 * h0) * alpha, s1 = (p1 - p1 * h1) * alpha;

        vec o = start_of(q);
        vec error = (Y - o) - o * q.t, rest = (1.0 - o) - o * q.t;
        o += o * q.t;
        vec part = error * rest; // times o it is the delta
        vec o0 = evens(o, o), o1 = odds(o, o), part0 = evens(part, part), part1 = odds(part, part);
        vec g[4], other[4];
        for (int d = 0; d < 3; d++)
            g[d] = (x[d][0] * s0 * o0) * part0 + (x[d][1] * s1 * o1) * part1;
        g[3] = (h0 * alpha * o0) * part0 + (h1 * alpha * o1) * part1;
        for (int d = 0; d < 4; d++) other[d] = halves_swapped(g[d]);
        for (int d = 0; d < 3; d++) W[d] = (W[d] + g[d]) + other[d];
        V = (V + g[3]) + other[3];
        for (int d = 0; d < 4; d++) {
            ivec up = g[d] + other[d] > 0.0;
            changes[d] -= up ^ before[d];
            before[d] = up;
        }
        if (j == next) {
            next += record_every;
            *errors++ = mean_of_magnitudes(error[0], error[4], error[1], error[5]);
            if (j == 0) memcpy(first, before, sizeof first);
        }
    }
    for (int u = 0; u < 4; u++) {
        for (int d = 0; d < 3; d++) {
            w0[4 * d + u] = W[d][u];
            c0[4 * d + u] = changes[d][u] + first[d][u];
        }
        w1[u] = V[u];
        c1[u] = changes[3][u] + first[3][u];
    }
}
