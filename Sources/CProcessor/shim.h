// What the compiler was told about the CPU (-march sets these macros here as it does for Swift), and what this one has.
#ifndef NNDIST_CPROCESSOR_SHIM_H
#define NNDIST_CPROCESSOR_SHIM_H

#include <sys/syscall.h>
#include <unistd.h>

// The first extension that this program was compiled for and that the CPU lacks; null where it can run.
static inline const char *nndist_missing_instructions(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
#define NNDIST_NEED(feature, name) \
  if (!__builtin_cpu_supports(feature)) return name
#ifdef __SSE4_2__
  NNDIST_NEED("sse4.2", "SSE4.2");
#endif
#ifdef __AVX__
  NNDIST_NEED("avx", "AVX");
#endif
#ifdef __FMA__
  NNDIST_NEED("fma", "FMA");
#endif
#ifdef __BMI2__
  NNDIST_NEED("bmi2", "BMI2");
#endif
#ifdef __AVX2__
  NNDIST_NEED("avx2", "AVX2");
#endif
#ifdef __AVX512F__
  NNDIST_NEED("avx512f", "AVX-512 F");
#endif
#ifdef __AVX512VL__
  NNDIST_NEED("avx512vl", "AVX-512 VL");
#endif
#ifdef __AVX512BW__
  NNDIST_NEED("avx512bw", "AVX-512 BW");
#endif
#ifdef __AVX512DQ__
  NNDIST_NEED("avx512dq", "AVX-512 DQ");
#endif
#ifdef __AVX512CD__
  NNDIST_NEED("avx512cd", "AVX-512 CD");
#endif
#ifdef __AVX512VBMI__
  NNDIST_NEED("avx512vbmi", "AVX-512 VBMI");
#endif
#ifdef __AVX512VBMI2__
  NNDIST_NEED("avx512vbmi2", "AVX-512 VBMI2");
#endif
#ifdef __AVX512VNNI__
  NNDIST_NEED("avx512vnni", "AVX-512 VNNI");
#endif
#ifdef __AVX512BF16__
  NNDIST_NEED("avx512bf16", "AVX-512 BF16");
#endif
#undef NNDIST_NEED
#endif
  return 0;
}

// Whether the kernel lets one process read another's memory, which Open MPI copies by: tried on this one, with nothing.
static inline int nndist_may_read_processes(void) {
  return syscall(SYS_process_vm_readv, (long)getpid(), 0L, 0L, 0L, 0L, 0L) >= 0;
}

// Cores that this process may run on; 0 where the kernel does not say.
static inline int nndist_allowed_cores(void) {
  unsigned long mask[1024];
  long bytes = syscall(SYS_sched_getaffinity, 0L, (long)sizeof mask, mask);
  int count = 0;
  for (long i = 0; i < bytes / (long)sizeof mask[0]; i++) count += __builtin_popcountl(mask[i]);
  return count;
}

// What this program was compiled for.
static inline const char *nndist_compiled_instructions(void) {
#if defined(__AVX512BF16__)
  return "AVX-512 with bfloat16";
#elif defined(__AVX512VNNI__)
  return "AVX-512 with VNNI";
#elif defined(__AVX512BW__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#elif defined(__AVX__)
  return "AVX";
#elif defined(__x86_64__)
  return "x86-64, the baseline";
#elif defined(__aarch64__)
  return "AArch64";
#else
  return "this kind of machine";
#endif
}

// What this CPU has, in the same words.
static inline const char *nndist_processor_instructions(void) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512bf16")) return "AVX-512 with bfloat16";
  if (__builtin_cpu_supports("avx512vnni")) return "AVX-512 with VNNI";
  if (__builtin_cpu_supports("avx512bw")) return "AVX-512";
  if (__builtin_cpu_supports("avx2")) return "AVX2";
  if (__builtin_cpu_supports("avx")) return "AVX";
  return "x86-64, the baseline";
#else
  return nndist_compiled_instructions();
#endif
}

#endif
