#include <dnnl.h>

// libgomp, which oneDNN runs on: threads of the calling thread's parallel regions.
void omp_set_num_threads(int threads);

// C ← alpha op(A) op(B) + beta C for row-major matrices; transposition as 'N' or 'T'.
static inline void nndist_sgemm(char transA, char transB, long m, long n, long k, float alpha, const float *a, long lda,
                                const float *b, long ldb, float beta, float *c, long ldc) {
  dnnl_sgemm(transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
