// Counts the allocations of the program that it is preloaded into, apart for those that libraries make for themselves.
// `launch/count-allocations` compiles and preloads it; `nndist bench step` then reports allocations_per_step.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static atomic_long counts[2];  // by the program, by libraries

// Code of the libraries whose bookkeeping is their own; found at the first count, when all of them are loaded.
static struct { uintptr_t first, last; } ranges[64];
static atomic_int state;
static int range_count;

static int note(struct dl_phdr_info *info, size_t size, void *unused) {
  static const char *names[] = {"libdnnl", "libgomp", "libopenblas", "libmpi", "libopen-", "libstdc++", "/openmpi/", "libevent",
                                "libhwloc", "libpmix"};
  (void)size, (void)unused;
  int known = 0;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) known |= info->dlpi_name && strstr(info->dlpi_name, names[i]) != NULL;
  for (int i = 0; known && i < info->dlpi_phnum && range_count < 64; i++) {
    const ElfW(Phdr) *part = &info->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
    ranges[range_count].first = info->dlpi_addr + part->p_vaddr;
    ranges[range_count++].last = info->dlpi_addr + part->p_vaddr + part->p_memsz;
  }
  return 0;
}

static void count(const void *caller) {
  int by = 0;
  for (int i = 0; i < range_count; i++) by |= (uintptr_t)caller >= ranges[i].first && (uintptr_t)caller < ranges[i].last;
  atomic_fetch_add_explicit(&counts[by], 1, memory_order_relaxed);
}

// The number so far: by the program (0) or by libraries (1).
long nndist_allocations(int by) {
  if (!atomic_exchange(&state, 1)) dl_iterate_phdr(note, NULL);
  return atomic_load(&counts[by & 1]);
}

void *malloc(size_t size) {
  count(__builtin_return_address(0));
  return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
  count(__builtin_return_address(0));
  return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size) {
  count(__builtin_return_address(0));
  return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **place, size_t alignment, size_t size) {
  count(__builtin_return_address(0));
  void *memory = __libc_memalign(alignment, size);
  if (!memory) return ENOMEM;
  *place = memory;
  return 0;
}
