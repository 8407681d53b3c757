import COpenMPI
import Communication

/// Turns a return code of MPI into an error with MPI's own words.
@inline(__always)
func check(_ code: CInt, _ what: @autoclosure () -> String) throws(CommunicationError) {
  if code != CInt(MPI_SUCCESS) { throw failure(code, what()) }
}

/// The error for a return code of MPI.
func failure(_ code: CInt, _ what: String) -> CommunicationError {
  var text = [CChar](repeating: 0, count: Int(MPI_MAX_ERROR_STRING) + 1)
  var length: CInt = 0
  let known = MPI_Error_string(code, &text, &length) == CInt(MPI_SUCCESS)
  let words = known ? String(decoding: text.prefix(Int(length)).map { UInt8(bitPattern: $0) }, as: UTF8.self) : ""
  return CommunicationError(.library(Int(code)), "\(what): MPI reports error \(code) (\(words))")
}

/// Whether a return code says that a message was longer than its buffer.
func isTruncation(_ code: CInt) -> Bool {
  var errorClass: CInt = 0
  return MPI_Error_class(code, &errorClass) == CInt(MPI_SUCCESS) && errorClass == CInt(MPI_ERR_TRUNCATE)
}
