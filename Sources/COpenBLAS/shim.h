// OpenBLAS is loaded late, after its choice of kernels was repaired, so nothing here links against it.
#include <cpuid.h>
#include <dlfcn.h>
#include <stdlib.h>

typedef void (*nndist_cblas_sgemm)(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a,
                                   int lda, const float *b, int ldb, float beta, float *c, int ldc);
typedef void (*nndist_openblas_set_num_threads)(int threads);
typedef char *(*nndist_openblas_get_text)(void);

// Whether this CPU and kernel run AVX-512 as OpenBLAS's SkylakeX kernels need it.
static inline int nndist_cpu_has_avx512(void) {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw");
}
