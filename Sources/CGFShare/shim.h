#include <libgfshare.h>

// The library's source of randomness is a global variable, which Swift must not touch from several threads.
static inline void gfshare_fill_with(gfshare_rand_func_t fill) { gfshare_fill_rand = fill; }
