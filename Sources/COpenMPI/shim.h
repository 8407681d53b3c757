// Open MPI for Swift. MPI's handles are macros that cast addresses, which Swift cannot import: functions return them.
#ifndef NNDIST_COPENMPI_SHIM_H
#define NNDIST_COPENMPI_SHIM_H

#include <mpi.h>

static inline MPI_Comm nndist_mpi_world(void) { return MPI_COMM_WORLD; }
static inline MPI_Datatype nndist_mpi_byte(void) { return MPI_BYTE; }
static inline MPI_Datatype nndist_mpi_int64(void) { return MPI_INT64_T; }
static inline MPI_Op nndist_mpi_sum(void) { return MPI_SUM; }
static inline MPI_Info nndist_mpi_no_information(void) { return MPI_INFO_NULL; }
static inline MPI_Request nndist_mpi_no_request(void) { return MPI_REQUEST_NULL; }
static inline MPI_Status *nndist_mpi_no_status(void) { return MPI_STATUS_IGNORE; }
static inline MPI_Status *nndist_mpi_no_statuses(void) { return MPI_STATUSES_IGNORE; }
static inline int nndist_mpi_return_errors(MPI_Comm group) { return MPI_Comm_set_errhandler(group, MPI_ERRORS_RETURN); }
static inline int nndist_mpi_window_returns_errors(MPI_Win window) {
  return MPI_Win_set_errhandler(window, MPI_ERRORS_RETURN);
}

// The largest tag a message may have; the standard promises 32767.
static inline int nndist_mpi_largest_tag(void) {
  int *limit = 0;
  int known = 0;
  if (MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &limit, &known) != MPI_SUCCESS || !known) return 32767;
  return *limit;
}

#endif
