/// What all groups of this process share that exchange through memory.
final class WindowHost {
  /// Bells and lives of the host's processes.
  let board: HostBoard
  /// Memory given out.
  let arena = WindowArena()

  init(board: HostBoard) { self.board = board }
}
