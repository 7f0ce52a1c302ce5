/* What both C peers share: vectors, our sigmoid, a sweep with a run in each lane of a vector. */

#include <stdint.h>
#include <string.h>
#ifdef __FMA__
#include <immintrin.h>
#endif

#define INLINE static inline __attribute__((always_inline))
#define UNROLLED _Pragma("GCC unroll 4")

typedef double v4 __attribute__((vector_size(32)));
typedef int64_t i4 __attribute__((vector_size(32)));

#ifdef __FMA__
INLINE v4 fma4(v4 a, v4 b, v4 c) { return _mm256_fmadd_pd(a, b, c); }
INLINE v4 least4(v4 x, v4 limit) { return _mm256_min_pd(limit, x); }
#else
INLINE v4 fma4(v4 a, v4 b, v4 c) {
    for (int lane = 0; lane < 4; lane++) a[lane] = __builtin_fma(a[lane], b[lane], c[lane]);
    return a;
}
INLINE v4 least4(v4 x, v4 limit) {
    i4 above = x > limit;
    return (v4)(((i4)x & ~above) | ((i4)limit & above));
}
#endif

#define LIMIT 708.0
#define LOG2E 0x1.71547652b82fep+0
#define LN2_HIGH 0x1.62e42fefa39efp-1
#define LN2_LOW 0x1.abc9e3b39803fp-56

/* The recipe of src/fastgd/kernel/iteration/activations.py, where each step stands explained. What is
below -LIMIT needs no clamp: the last step replaces it. */
#define DEFINE(v, i, all, fma, least, our_sigmoid)                                       \
    INLINE v all(double x) { return x - (v){}; }                                         \
    INLINE v our_sigmoid(v x) {                                                          \
        v z = least(x, all(LIMIT));                                                      \
        v t = fma(z, all(-LOG2E), all(0x1.8p52));                                        \
        v n = t - 0x1.8p52;                                                              \
        v r = fma(n, all(LN2_LOW), fma(n, all(LN2_HIGH), z));                            \
        v r2 = r * r, r4 = r2 * r2;                                                      \
        v c3_2 = fma(r, all(-0x1.5555555555501p-3), all(0x1.0p-1));                      \
        v c5_4 = fma(r, all(-0x1.1111111128953p-7), all(0x1.55555555531fap-5));          \
        v c7_6 = fma(r, all(-0x1.a01a011bd0b7cp-13), all(0x1.6c16c17cc64edp-10));        \
        v c9_8 = fma(r, all(-0x1.71df5620685f7p-19), all(0x1.a019ab25b74d7p-16));        \
        v c11_10 = fma(r, all(-0x1.ad1e6f1dc79cap-26), all(0x1.289f906674b5ep-22));      \
        v high = fma(c11_10, r4, fma(c9_8, r2, c7_6));                                   \
        v q = fma(high, r4, fma(c5_4, r2, c3_2));                                        \
        v e = fma(fma(q, r, all(-1.0)), r, all(1.0));                                    \
        e = (v)((i)e + ((i)t << 52));                                                    \
        return (v)((i)(1.0 / (1.0 + e)) & ~(i)(x < -LIMIT));                             \
    }
DEFINE(v4, i4, all4, fma4, least4, our_sigmoid4)

/* What a sweep is made of: vectors as long as the machine has them; which lanes are above 0, a bit
each; 1 more in each byte for each bit of the 16 masks. */
#ifdef __AVX512BW__
#define LANES 8
typedef double vec __attribute__((vector_size(64)));
typedef int64_t ivec __attribute__((vector_size(64)));
INLINE vec fmadd(vec a, vec b, vec c) { return _mm512_fmadd_pd(a, b, c); }
INLINE vec least(vec x, vec limit) { return _mm512_min_pd(limit, x); }
DEFINE(vec, ivec, all, fmadd, least, our_sigmoid)
INLINE uint8_t signs_of(vec x) { return _mm512_cmp_pd_mask(x, all(0.0), _CMP_GT_OQ); }
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
#define LANES 4
typedef v4 vec;
#define all all4
#define fmadd fma4
#define our_sigmoid our_sigmoid4
INLINE uint8_t signs_of(vec x) {
    i4 above = x > 0.0;
    return (above[0] & 1) | (above[1] & 2) | (above[2] & 4) | (above[3] & 8);
}
INLINE void add_bits(uint8_t bytes[64], const uint8_t masks[16]) {
    uint32_t counts[16];
    memcpy(counts, bytes, sizeof counts);
    for (int i = 0; i < 16; i++) counts[i] += masks[i] * 0x204081u & 0x01010101u; // a bit to a byte
    memcpy(bytes, counts, sizeof counts);
}
#endif
#undef DEFINE

INLINE double mean_of_magnitudes(double a, double b, double c, double d) {
    return (((__builtin_fabs(a) + __builtin_fabs(b)) + __builtin_fabs(c)) + __builtin_fabs(d)) / 4;
}

/* The sigmoid of this peer. */
INLINE vec sigmoid(vec a);

/* A run in each lane: w0 and c0 (LANES, 3, 4), w1 and c1 (LANES, 4), errors (LANES, records).

Stage by stage for all samples, which the processor overlaps: 23 ns per run and iteration, with our
numbers. Tried: sample by sample 36; 16 or 32 runs at a time 23 to 24; two blocks, of which one goes
through sigmoids while the other one makes products, 25; without a division at all 21. Direction
changes are counted in bytes, as ours are. */
static void train_lanes(const double *X, const double *y, double *w0, double *w1,
                        const double *alpha, int64_t iterations, int64_t record_every,
                        int64_t records, double *errors, int64_t *c0, int64_t *c1) {
    vec W[16], H[4][4], O[4], D[4], rate;
    int64_t changes[16 * LANES] = {};
    uint8_t recent[16 * LANES] = {}, signs[16], before[16] = {}, turned[16];
    for (int run = 0; run < LANES; run++) {
        for (int i = 0; i < 12; i++) W[i][run] = w0[12 * run + i];
        for (int i = 0; i < 4; i++) W[12 + i][run] = w1[4 * run + i];
        rate[run] = alpha[run];
    }
    int64_t record = 0, next = 0, flush = 255;
    for (int64_t j = 0; j < iterations; j++) {
        for (int n = 0; n < 4; n++)
            UNROLLED for (int u = 0; u < 4; u++) {
                vec a = all(X[3 * n]) * W[u];
                a = fmadd(all(X[3 * n + 1]), W[4 + u], a);
                H[n][u] = sigmoid(fmadd(all(X[3 * n + 2]), W[8 + u], a));
            }
        for (int n = 0; n < 4; n++) {
            vec a = H[n][0] * W[12];
            UNROLLED for (int u = 1; u < 4; u++) a = fmadd(H[n][u], W[12 + u], a);
            vec o = sigmoid(a);
            O[n] = o;
            D[n] = (y[n] - o) * (o * (1.0 - o));
        }
        UNROLLED for (int u = 0; u < 4; u++) {
            vec g[4];
            UNROLLED for (int n = 0; n < 4; n++) {
                vec h = H[n][u], delta = (D[n] * W[12 + u]) * (h * (1.0 - h));
                for (int d = 0; d < 3; d++) {
                    vec x = all(X[3 * n + d]);
                    if (n) g[d] = fmadd(x, delta, g[d]);
                    else g[d] = x * delta;
                }
                if (n) g[3] = fmadd(h, D[n], g[3]);
                else g[3] = h * D[n];
            }
            UNROLLED for (int d = 0; d < 4; d++) {
                W[4 * d + u] = fmadd(rate, g[d], W[4 * d + u]);
                signs[4 * d + u] = signs_of(g[d]);
            }
        }
        for (int i = 0; i < 16; i++) turned[i] = j ? signs[i] ^ before[i] : 0;
        memcpy(before, signs, sizeof before);
        add_bits(recent, turned);
        if (--flush == 0 || j == iterations - 1) {
            flush = 255;
            for (int i = 0; i < 16 * LANES; i++) changes[i] += recent[i];
            memset(recent, 0, sizeof recent);
        }
        if (j == next) {
            next += record_every;
            for (int run = 0; run < LANES; run++)
                errors[run * records + record] = mean_of_magnitudes(
                    y[0] - O[0][run], y[1] - O[1][run], y[2] - O[2][run], y[3] - O[3][run]);
            record++;
        }
    }
    for (int run = 0; run < LANES; run++) {
        for (int i = 0; i < 12; i++) {
            w0[12 * run + i] = W[i][run];
            c0[12 * run + i] = changes[LANES * i + run];
        }
        for (int i = 0; i < 4; i++) {
            w1[4 * run + i] = W[12 + i][run];
            c1[4 * run + i] = changes[LANES * (12 + i) + run];
        }
    }
}

/* Runs from begin to end, both multiples of LANES. */
void sweep(const double *X, const double *y, double *w0, double *w1, const double *alpha,
           int64_t iterations, int64_t record_every, int64_t records, double *errors, int64_t *c0,
           int64_t *c1, int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r += LANES)
        train_lanes(X, y, w0 + 12 * r, w1 + 4 * r, alpha + r, iterations, record_every, records,
                    errors + records * r, c0 + 12 * r, c1 + 4 * r);
}
