import Communication
import Glibc

/// Prints medians of all-reduces, for information.
func time(_ world: any Communicator, shared: Bool) throws {
  let most = 64 << 20
  let memory = shared ? try world.allocate(byteCount: most) : try CommunicatorMemory(zeroed: most)
  let all = memory.base.assumingMemoryBound(to: Float.self)
  func now() -> Double {
    var t = timespec()
    clock_gettime(CLOCK_MONOTONIC, &t)
    return Double(t.tv_sec) + Double(t.tv_nsec) * 1e-9
  }
  var bytes = 4
  while bytes <= most {
    let buffer = UnsafeMutableBufferPointer(start: all, count: bytes / 4)
    let loops = bytes < 65_536 ? 1_000 : 1
    var times: [Double] = []
    for _ in 0..<21 {
      try world.barrier()
      let start = now()
      for _ in 0..<loops { try world.allReduce(buffer, .sum) }
      times.append((now() - start) / Double(loops))
    }
    times.sort()
    if world.rank == 0 { print("\(bytes) median \(times[10] * 1e6) us minimum \(times[0] * 1e6) us") }
    bytes *= 4
  }
  withExtendedLifetime(memory) {}
}
