/// Numbers that ranks take in turn, so that whoever is idle does the next piece of work: 0, 1, 2, …, each given once over all
/// ranks and threads.
///
/// One counter serves a whole run.  Where each of k takers stops at its first ticket beyond the m of a round, the numbers of the
/// next round begin m + k after those of this one, on every rank and without another exchange; between two rounds lies
/// a barrier, or a collective that adds something up.
///
/// Any thread of a rank may take tickets.  Where ranks are processes connected by MPI's messages, no thread of that
/// process uses a communicator meanwhile: MPI was started for one thread at a time, and the counter only keeps its own takers
/// apart.  Rank 0 hands tickets out whenever it takes one itself or waits in a communicator, unless the network or the memory of
/// a shared host does so without it.
public protocol TicketCounter: AnyObject, Sendable {
  /// Takes the next ticket.
  func next() throws(CommunicationError) -> Int
}
