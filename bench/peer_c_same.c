/* 3-4-1 on 4 samples in C with our numbers: the same order of sums, the same recipe of the sigmoid,
and so the same bits. What it takes is what a kernel for this one network could take.

A vector for the units of each sample: the divider takes no longer for four of these than for two
vectors twice as long, and the sum over samples needs no shuffle. Tried: a correctly rounded
reciprocal by an estimate, Newton steps and a last correction in place of the divider, 103 ns and
not 91; outputs of two samples at a time, whose divisions come out earlier, 82 instead of 83. */

#include "peer_c.h"

INLINE vec sigmoid(vec a) { return our_sigmoid(a); }

#define PICK __builtin_shufflevector
#define SPREAD(a, lane) PICK(a, a, lane, lane, lane, lane)

/* One run: w0 and c0 (3, 4), w1 and c1 (4,). */
void train(const double *X, const double *y, double *w0, double *w1, double alpha,
           int64_t iterations, int64_t record_every, double *errors, int64_t *c0, int64_t *c1) {
    v4 W[3], V;
    memcpy(W, w0, sizeof W);
    memcpy(&V, w1, sizeof V);
    const v4 Y = {y[0], y[1], y[2], y[3]}, rate = all4(alpha), zero = all4(0.0);
    i4 before[4] = {}, changes[4] = {}, first[4] = {};
    int64_t next = 0;
    for (int64_t j = 0; j < iterations; j++) {
        v4 h[4];
        UNROLLED for (int n = 0; n < 4; n++) {
            v4 a = fma4(all4(X[3 * n]), W[0], zero);
            a = fma4(all4(X[3 * n + 1]), W[1], a);
            h[n] = our_sigmoid4(fma4(all4(X[3 * n + 2]), W[2], a));
        }
        // From units of a sample to samples of a unit.
        v4 a = PICK(h[0], h[1], 0, 4, 2, 6), b = PICK(h[0], h[1], 1, 5, 3, 7);
        v4 c = PICK(h[2], h[3], 0, 4, 2, 6), d = PICK(h[2], h[3], 1, 5, 3, 7);
        v4 o = fma4(PICK(a, c, 0, 1, 4, 5), SPREAD(V, 0), zero);
        o = fma4(PICK(b, d, 0, 1, 4, 5), SPREAD(V, 1), o);
        o = fma4(PICK(a, c, 2, 3, 6, 7), SPREAD(V, 2), o);
        o = our_sigmoid4(fma4(PICK(b, d, 2, 3, 6, 7), SPREAD(V, 3), o));
        v4 error = Y - o, delta = error * (o * (1.0 - o));
        v4 deltas[4] = {SPREAD(delta, 0), SPREAD(delta, 1), SPREAD(delta, 2), SPREAD(delta, 3)};
        v4 g[4] = {};
        UNROLLED for (int n = 0; n < 4; n++) {
            v4 below = (deltas[n] * V) * (h[n] * (1.0 - h[n]));
            for (int i = 0; i < 3; i++) g[i] = fma4(all4(X[3 * n + i]), below, g[i]);
            g[3] = fma4(h[n], deltas[n], g[3]);
        }
        for (int i = 0; i < 3; i++) W[i] = fma4(rate, g[i], W[i]);
        V = fma4(rate, g[3], V);
        for (int i = 0; i < 4; i++) {
            i4 up = g[i] > 0.0;
            changes[i] -= up ^ before[i];
            before[i] = up;
        }
        if (j == next) {
            next += record_every;
            *errors++ = mean_of_magnitudes(error[0], error[1], error[2], error[3]);
            if (j == 0) memcpy(first, before, sizeof first);
        }
    }
    for (int u = 0; u < 4; u++) {
        for (int i = 0; i < 3; i++) {
            w0[4 * i + u] = W[i][u];
            c0[4 * i + u] = changes[i][u] + first[i][u];
        }
        w1[u] = V[u];
        c1[u] = changes[3][u] + first[3][u];
    }
}
