/* What both C peers share: vectors, our sigmoid, and a sweep of 8 runs in the lanes of a vector.

Compiled for a processor without AVX-512, the compiler makes smaller vectors of them. */

#include <stdint.h>
#include <string.h>
#ifdef __AVX512BW__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 4")

typedef double v4 __attribute__((vector_size(32)));
typedef int64_t i4 __attribute__((vector_size(32)));
typedef double v8 __attribute__((vector_size(64)));
typedef int64_t i8 __attribute__((vector_size(64)));

#ifdef __AVX512BW__
INLINE v4 fma4(v4 a, v4 b, v4 c) { return _mm256_fmadd_pd(a, b, c); }
INLINE v8 fma8(v8 a, v8 b, v8 c) { return _mm512_fmadd_pd(a, b, c); }
INLINE v4 least4(v4 x, v4 limit) { return _mm256_min_pd(limit, x); }
INLINE v8 least8(v8 x, v8 limit) { return _mm512_min_pd(limit, x); }
#else
#define DEFINE(v, i, lanes)                                                                        \
    INLINE v fma##lanes(v a, v b, v c) {                                                           \
        for (int lane = 0; lane < lanes; lane++) a[lane] = __builtin_fma(a[lane], b[lane], c[lane]); \
        return a;                                                                                  \
    }                                                                                              \
    INLINE v least##lanes(v x, v limit) {                                                          \
        i above = x > limit;                                                                       \
        return (v)(((i)x & ~above) | ((i)limit & above));                                          \
    }
DEFINE(v4, i4, 4)
DEFINE(v8, i8, 8)
#undef DEFINE
#endif

#define LIMIT 708.0
#define LOG2E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa39efp-1
#define LN2_LOW 0x1.abc9e3b39803fp-56

/* The recipe of src/fastgd/kernel/iteration/functions.py, where each step stands explained. What is
below -LIMIT needs no clamp: the last step replaces it. */
#define DEFINE(v, i, lanes)                                                                        \
    INLINE v all##lanes(double x) { return x - (v){}; }                                            \
    INLINE v our_sigmoid##lanes(v x) {                                                             \
        v z = least##lanes(x, all##lanes(LIMIT));                                                  \
        v t = fma##lanes(z, all##lanes(-LOG2E), all##lanes(0x1.8p52));                             \
        v n = t - 0x1.8p52;                                                                        \
        v r = fma##lanes(n, all##lanes(LN2_LOW), fma##lanes(n, all##lanes(LN2_HIGH), z));          \
        v r2 = r * r, r4 = r2 * r2;                                                                \
        v c3_2 = fma##lanes(r, all##lanes(-0x1.5555555555501p-3), all##lanes(0x1.0p-1));           \
        v c5_4 = fma##lanes(r, all##lanes(-0x1.1111111128953p-7), all##lanes(0x1.55555555531fap-5)); \
        v c7_6 = fma##lanes(r, all##lanes(-0x1.a01a011bd0b7cp-13), all##lanes(0x1.6c16c17cc64edp-10)); \
        v c9_8 = fma##lanes(r, all##lanes(-0x1.71df5620685f7p-19), all##lanes(0x1.a019ab25b74d7p-16)); \
        v c11_10 = fma##lanes(r, all##lanes(-0x1.ad1e6f1dc79cap-26), all##lanes(0x1.289f906674b5ep-22)); \
        v high = fma##lanes(c11_10, r4, fma##lanes(c9_8, r2, c7_6));                               \
        v q = fma##lanes(high, r4, fma##lanes(c5_4, r2, c3_2));                                    \
        v e = fma##lanes(fma##lanes(q, r, all##lanes(-1.0)), r, all##lanes(1.0));                  \
        e = (v)((i)e + ((i)t << 52));                                                              \
        return (v)((i)(1.0 / (1.0 + e)) & ~(i)(x < -LIMIT));                                       \
    }
DEFINE(v4, i4, 4)
DEFINE(v8, i8, 8)
#undef DEFINE

INLINE double mean_of_magnitudes(double a, double b, double c, double d) {
    return (((__builtin_fabs(a) + __builtin_fabs(b)) + __builtin_fabs(c)) + __builtin_fabs(d)) / 4;
}

/* The sigmoid of this peer. */
INLINE v8 sigmoid(v8 a);

/* Which lanes are above 0, a bit each, and 1 more in each byte for each bit of such masks. */
#ifdef __AVX512BW__
INLINE uint8_t signs_of(v8 g) { return _mm512_cmp_pd_mask(g, all8(0.0), _CMP_GT_OQ); }
INLINE void add_bits(uint8_t bytes[128], const uint8_t masks[16]) {
    for (int i = 0; i < 2; i++) {
        uint64_t bits;
        memcpy(&bits, masks + 8 * i, sizeof bits);
        __m512i counts = _mm512_loadu_si512(bytes + 64 * i);
        counts = _mm512_mask_add_epi8(counts, bits, counts, _mm512_set1_epi8(1));
        _mm512_storeu_si512(bytes + 64 * i, counts);
    }
}
#else
INLINE uint8_t signs_of(v8 g) {
    uint8_t bits = 0;
    for (int run = 0; run < 8; run++) bits |= (g[run] > 0.0) << run;
    return bits;
}
INLINE void add_bits(uint8_t bytes[128], const uint8_t masks[16]) {
    for (int i = 0; i < 128; i++) bytes[i] += masks[i / 8] >> i % 8 & 1;
}
#endif

/* Eight runs of 3-4-1 on 4 samples: w0 and c0 (8, 3, 4), w1 and c1 (8, 4), errors (8, records).

Stage by stage for all samples, which the processor overlaps: 23 ns per run and iteration, with our
numbers. Tried: sample by sample 36; 16 or 32 runs at a time 23 to 24; two blocks, of which one goes
through sigmoids while the other one makes products, 25; without a division at all 21. Direction changes are counted in bytes, as ours are. */
static void train_8(const double *X, const double *y, double *w0, double *w1, const double *alpha,
                    int64_t iterations, int64_t record_every, int64_t records, double *errors,
                    int64_t *c0, int64_t *c1) {
    v8 W[16], H[4][4], O[4], D[4], rate;
    int64_t changes[128] = {};
    uint8_t recent[128] = {}, signs[16], before[16] = {}, turned[16];
    for (int run = 0; run < 8; run++) {
        for (int i = 0; i < 12; i++) W[i][run] = w0[12 * run + i];
        for (int i = 0; i < 4; i++) W[12 + i][run] = w1[4 * run + i];
        rate[run] = alpha[run];
    }
    int64_t record = 0, next = 0, flush = 255;
    for (int64_t j = 0; j < iterations; j++) {
        for (int n = 0; n < 4; n++)
            UNROLLED for (int u = 0; u < 4; u++) {
                v8 a = all8(X[3 * n]) * W[u];
                a = fma8(all8(X[3 * n + 1]), W[4 + u], a);
                H[n][u] = sigmoid(fma8(all8(X[3 * n + 2]), W[8 + u], a));
            }
        for (int n = 0; n < 4; n++) {
            v8 a = H[n][0] * W[12];
            UNROLLED for (int u = 1; u < 4; u++) a = fma8(H[n][u], W[12 + u], a);
            v8 o = sigmoid(a);
            O[n] = o;
            D[n] = (y[n] - o) * (o * (1.0 - o));
        }
        UNROLLED for (int u = 0; u < 4; u++) {
            v8 g[4];
            UNROLLED for (int n = 0; n < 4; n++) {
                v8 h = H[n][u], delta = (D[n] * W[12 + u]) * (h * (1.0 - h));
                for (int d = 0; d < 3; d++) {
                    v8 x = all8(X[3 * n + d]);
                    if (n) g[d] = fma8(x, delta, g[d]);
                    else g[d] = x * delta;
                }
                if (n) g[3] = fma8(h, D[n], g[3]);
                else g[3] = h * D[n];
            }
            UNROLLED for (int d = 0; d < 4; d++) {
                W[4 * d + u] = fma8(rate, g[d], W[4 * d + u]);
                signs[4 * d + u] = signs_of(g[d]);
            }
        }
        for (int i = 0; i < 16; i++) turned[i] = j ? signs[i] ^ before[i] : 0;
        memcpy(before, signs, sizeof before);
        add_bits(recent, turned);
        if (--flush == 0 || j == iterations - 1) {
            flush = 255;
            for (int i = 0; i < 128; i++) changes[i] += recent[i];
            memset(recent, 0, sizeof recent);
        }
        if (j == next) {
            next += record_every;
            for (int run = 0; run < 8; run++)
                errors[run * records + record] = mean_of_magnitudes(
                    y[0] - O[0][run], y[1] - O[1][run], y[2] - O[2][run], y[3] - O[3][run]);
            record++;
        }
    }
    for (int run = 0; run < 8; run++) {
        for (int i = 0; i < 12; i++) {
            w0[12 * run + i] = W[i][run];
            c0[12 * run + i] = changes[8 * i + run];
        }
        for (int i = 0; i < 4; i++) {
            w1[4 * run + i] = W[12 + i][run];
            c1[4 * run + i] = changes[8 * (12 + i) + run];
        }
    }
}

/* Runs from begin to end, both multiples of 8. */
void sweep(const double *X, const double *y, double *w0, double *w1, const double *alpha,
           int64_t iterations, int64_t record_every, int64_t records, double *errors, int64_t *c0,
           int64_t *c1, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += 8)
        train_8(X, y, w0 + 12 * r, w1 + 4 * r, alpha + r, iterations, record_every, records,
                errors + records * r, c0 + 12 * r, c1 + 4 * r);
}
