/// What the groups of this process that exchange through memory have in common.
final class WindowHost {
  /// Bells and lives of the host's processes.
  let board: HostBoard
  /// Memory given out.
  let arena = WindowArena()

  /// For which sizes of a call shared memory is used.
  var choice = TransportChoice()

  /// All groups.
  var groups: [WindowGroup] = []

  init(board: HostBoard) { self.board = board }
}
