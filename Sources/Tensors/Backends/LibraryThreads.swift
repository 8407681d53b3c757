import COneDNN

/// Threads inside libraries.
package enum LibraryThreads {
  /// Makes libgomp's parallel regions of the calling thread single-threaded: with more, the bits of weight gradients change.
  /// libgomp keeps the number per thread, so every thread that computes says it.
  @inline(__always)
  package static func limitToOne() { omp_set_num_threads(1) }
}
