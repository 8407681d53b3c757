// What processes that share memory need of the kernel and the CPU, and Swift cannot say: variadic system calls and hints.
#ifndef NNDIST_CSHAREDMEMORY_SHIM_H
#define NNDIST_CSHAREDMEMORY_SHIM_H

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// Sleeps while *word is `seen`, at most so long. Works between processes: the word lies in memory that they share.
static inline void nndist_futex_wait(void *word, uint32_t seen, uint64_t nanoseconds) {
  struct timespec limit = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
  syscall(SYS_futex, word, FUTEX_WAIT, seen, &limit, 0, 0);
}

// Wakes those who sleep on a word.
static inline void nndist_futex_wake(void *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1 << 30, 0, 0, 0); }

// Tells the CPU that this is a loop that waits.
static inline void nndist_pause(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

// Asks for a cache line that is about to be written.
static inline void nndist_prefetch_for_write(const void *line) { __builtin_prefetch(line, 1); }

// Backs pages with memory, so that a full file system is an answer here and not a signal later.
static inline int nndist_populate(void *base, size_t bytes) {
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif
  if (madvise(base, bytes, MADV_POPULATE_WRITE) == 0) return 1;
  if (errno != EINVAL) return 0;
  for (size_t i = 0; i < bytes; i += 4096) ((volatile char *)base)[i] = 0;  // a kernel before 5.14
  return 1;
}

// Bytes that the file system of shared memory has left; as many as there can be where it does not say.
static inline uint64_t nndist_shared_memory_left(void) {
  struct statvfs system;
  if (statvfs("/dev/shm", &system) != 0) return UINT64_MAX;
  return (uint64_t)system.f_bavail * system.f_frsize;
}

// Whether a process of this host has ended.
static inline int nndist_process_is_gone(int process) { return kill(process, 0) != 0 && errno == ESRCH; }

// Which numbering of processes this process lives in; 0 where the kernel does not say.
static inline uint64_t nndist_process_namespace(void) {
  struct stat status;
  return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
}

// The cores that this process may run on, as bits of `words` words.
static inline void nndist_allowed_core_bits(uint64_t *bits, int words) {
  for (int i = 0; i < words; i++) bits[i] = 0;
  syscall(SYS_sched_getaffinity, 0L, (long)words * 8, bits);
}

#endif
