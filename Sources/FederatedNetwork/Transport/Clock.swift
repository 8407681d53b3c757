import CZeroMQ
import Glibc

/// Seconds of a clock that never goes back.
enum Clock {
  static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
  }
}

/// Options of ZeroMQ by their names here, for files that need nothing else of it.
enum ZMQ {
  static let routerMandatory = ZMQ_ROUTER_MANDATORY
  static let backlog = ZMQ_BACKLOG
  static let receiveQueue = ZMQ_RCVHWM
  static let reconnect = ZMQ_RECONNECT_IVL
  static let reconnectLongest = ZMQ_RECONNECT_IVL_MAX
}
