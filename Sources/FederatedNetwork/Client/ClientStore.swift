import Datasets
import Federated
import Foundation
import Tensors

/// The files of a client: what it remembers, and an upload whose fate is open.
///
/// `memory.safetensors` is what the client remembers after its last update that counted; `pending.safetensors` holds an upload
/// with what the client would remember then; `revealed.safetensors` says for which survivors it has revealed shares of masked
/// rounds.  All appear whole or not at all, so that a client that was killed goes on where it was, and are their owner's alone: an
/// upload tells of the client's samples what the server may learn only masked or noisy.
public struct ClientStore {
  private let directory: String

  /// Keeps files in a directory that is there.
  public init(_ directory: String) { self.directory = directory }

  private var memoryFile: String { directory + "/memory.safetensors" }
  private var pendingFile: String { directory + "/pending.safetensors" }

  /// Keeps an upload before it is offered.
  func save(_ pending: PendingUpload, of federation: String) throws(FederatedError) {
    let report = (try? JSONEncoder().encode(pending.report)).map { String(decoding: $0, as: UTF8.self) } ?? ""
    var tensors = [("upload", pending.image?.bytes ?? UnsafeRawBufferPointer(start: nil, count: 0))]
      .map { SafetensorsWriter.Part(name: $0, type: .uint8, shape: [$1.count], bytes: $1) }
    try writing { () throws(DataError) in
      try pending.memory.withUnsafeBufferPointer { (memory) throws(DataError) in
        tensors.append(
          .init(name: "memory", type: .float32, shape: [memory.count], bytes: UnsafeRawBufferPointer(memory)))
        _ = try SafetensorsWriter.write(
          pendingFile,
          metadata: ["federation": federation, "round": "\(pending.round)", "report": report], tensors: tensors,
          isPrivate: true)
      }
    }
  }

  /// The upload that was kept, if it is of a federation.
  func pending(of federation: String) throws(DataError) -> PendingUpload? {
    guard FileManager.default.fileExists(atPath: pendingFile) else { return nil }
    let file = try SafetensorsFile.open(pendingFile)
    guard file.metadata["federation"] == federation, let round = file.metadata["round"].flatMap({ Int($0) }),
      let report = file.metadata["report"].flatMap({ try? JSONDecoder().decode(VisitReport.self, from: Data($0.utf8)) })
    else { return nil }
    let image = try file.withBytes("upload") { $0.isEmpty ? nil : SafetensorsImage(copying: $0) }
    return PendingUpload(round: round, report: report, image: image, memory: try file.floats("memory"))
  }

  /// Keeps what the client remembers after a round.
  func save(_ memory: [Float], round: Int, of federation: String) throws(FederatedError) {
    guard !memory.isEmpty else { return }
    try writing { () throws(DataError) in
      try memory.withUnsafeBufferPointer { (memory) throws(DataError) in
        _ = try SafetensorsWriter.write(
          memoryFile, metadata: ["federation": federation, "round": "\(round)"],
          tensors: [
            .init(name: "memory", type: .float32, shape: [memory.count], bytes: UnsafeRawBufferPointer(memory))
          ],
          durable: true, isPrivate: true)
      }
    }
  }

  /// What the client remembered, if it is of a federation.
  func memory(of federation: String) throws(DataError) -> [Float]? {
    guard FileManager.default.fileExists(atPath: memoryFile) else { return nil }
    let file = try SafetensorsFile.open(memoryFile)
    return file.metadata["federation"] == federation ? try file.floats("memory") : nil
  }

  private var revealedFile: String { directory + "/revealed.safetensors" }

  /// Keeps for whom shares were revealed, before they are.
  func save(_ revealed: RevealedRounds, of federation: String) throws(FederatedError) {
    try writing { () throws(DataError) in
      try Array(revealed.text.utf8).withUnsafeBufferPointer { (text) throws(DataError) in
        _ = try SafetensorsWriter.write(
          revealedFile, metadata: ["federation": federation],
          tensors: [.init(name: "rounds", type: .uint8, shape: [text.count], bytes: UnsafeRawBufferPointer(text))],
          durable: true, isPrivate: true)
      }
    }
  }

  /// For whom shares were revealed, if that was in a federation.
  func revealed(of federation: String) throws(DataError) -> RevealedRounds? {
    guard FileManager.default.fileExists(atPath: revealedFile) else { return nil }
    let file = try SafetensorsFile.open(revealedFile)
    guard file.metadata["federation"] == federation else { return nil }
    let text = try file.withBytes("rounds") { String(decoding: $0, as: UTF8.self) }
    guard let revealed = RevealedRounds(text) else {
      throw DataError(.malformed, "\(revealedFile) lists no rounds; what was revealed of them is unknown")
    }
    return revealed
  }

  /// Forgets the upload.
  func dropPending() { unlink(pendingFile) }

  private func writing(_ body: () throws(DataError) -> Void) throws(FederatedError) {
    do throws(DataError) { try body() } catch {
      throw FederatedError(.refused, "cannot keep the client's state: \(error.description)")
    }
  }
}
