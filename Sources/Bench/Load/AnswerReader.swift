// Takes the bytes of one connection's answers as they arrive and finds where each ends.
// Owned by a connection of one load loop. An answer that arrives whole is read where it lies; nothing is copied then.
// Limits: ResponseLimits for heads, `bodyBytesMax` for bodies that the scenario reads. Source: RFC 9112 sections 6, 7.

import Reactor

/// One complete answer.
struct Answer {
    var status: Int
    var keepAlive: Bool
    /// Where the body lies in the bytes given; meaningless where `isBodyKept`.
    var body = ByteRange.empty
    /// The body came in pieces: `AnswerReader.body` has it, if bodies are read at all.
    var isBodyKept = false
}

struct AnswerReader: ~Copyable {
    /// A longer body that is to be read makes the answer a protocol error.
    static let bodyBytesMax = 16 * 1024 * 1024

    private enum Stage {
        case head
        case skipping(Int)
        case chunked
        case untilClose
    }

    private var stage = Stage.head
    private var progress = HeadProgress()
    private var decoder = ChunkedDecoder(limits: ChunkLimits(bodyBytesMax: .max))
    private var status = 0
    private var keepAlive = false
    private(set) var body = ByteBuffer()
    /// Bytes of an answer that is not complete and was not used yet.
    var kept = ByteBuffer()

    /// Nothing of an answer has arrived.
    var isAtStart: Bool { if case .head = stage { kept.isEmpty } else { false } }

    /// Takes the next answer.
    /// - Parameters:
    ///   - bytes: all that has arrived and was not used: what stays unused comes again, with more behind it.
    ///   - offset: where to go on; moves past what was used.
    ///   - readsBodies: the body is wanted; otherwise it is skipped.
    ///   - isToHEAD: the request was a HEAD.
    /// - Returns: nil where more bytes are needed.
    mutating func next(
        _ bytes: RawSpan, from offset: inout Int, readsBodies: Bool, isToHEAD: Bool, limits: ResponseLimits,
        table: inout HeaderTable
    ) throws(HTTPFailure) -> Answer? {
        while true {
            switch stage {
            case .head:
                guard offset < bytes.byteCount else { return nil }
                let rest = bytes.extracting(offset..<bytes.byteCount)
                guard
                    let head = try ResponseParser.parse(
                        rest, isToHEAD: isToHEAD, limits: limits, progress: &progress, into: &table)
                else { return nil }
                if let answer = try begin(head, rest.byteCount, &offset, readsBodies) { return answer }
                if !head.isInterim, case .head = stage { return nil }
            case .skipping(let count):
                let taken = min(count, bytes.byteCount - offset)
                offset += taken
                stage = .skipping(count - taken)
                if taken < count { return nil }
                return end()
            case .chunked:
                switch try decoder.next(bytes, from: &offset) {
                case .data(let range): if readsBodies { try keep(bytes.slice(range)) }
                case .more: return nil
                case .end: return end()
                }
            case .untilClose:
                if readsBodies { try keep(bytes.extracting(offset..<bytes.byteCount)) }
                offset = bytes.byteCount
                return nil
            }
        }
    }

    /// A head is there. Returns the answer if its body is there too (or it has none); nil where the stage has changed, or
    /// the whole body is waited for.
    private mutating func begin(
        _ head: ResponseHeadView, _ available: Int, _ offset: inout Int, _ readsBodies: Bool
    ) throws(HTTPFailure) -> Answer? {
        if head.isInterim {
            offset += head.byteCount
            return nil
        }
        status = head.status
        keepAlive = head.keepAlive
        switch head.framing {
        case .none, .length(0):
            offset += head.byteCount
            return Answer(status: status, keepAlive: keepAlive)
        case .length(let count):
            if available - head.byteCount >= count {
                let body = ByteRange(offset: offset + head.byteCount, count: count)
                offset += head.byteCount + count
                return Answer(status: status, keepAlive: keepAlive, body: body)
            }
            if readsBodies {
                guard count <= Self.bodyBytesMax else { throw HTTPFailure(.bodyTooLarge, atByte: 0) }
                return nil
            }
            offset += head.byteCount
            body.clear()
            stage = .skipping(count)
        case .chunked:
            offset += head.byteCount
            decoder = ChunkedDecoder(limits: ChunkLimits(bodyBytesMax: .max))
            body.clear()
            stage = .chunked
        case .close:
            offset += head.byteCount
            body.clear()
            stage = .untilClose
        }
        return nil
    }

    private mutating func keep(_ bytes: RawSpan) throws(HTTPFailure) {
        guard body.count + bytes.byteCount <= Self.bodyBytesMax else { throw HTTPFailure(.bodyTooLarge, atByte: 0) }
        body.append(bytes)
    }

    private mutating func end() -> Answer {
        stage = .head
        return Answer(status: status, keepAlive: keepAlive, isBodyKept: true)
    }

    /// The peer sends no more: completes a body that ends with the connection.
    mutating func peerEnded() -> Answer? {
        guard case .untilClose = stage else { return nil }
        return end()
    }

    /// Forgets everything: a new connection begins.
    mutating func reset() {
        stage = .head
        progress = HeadProgress()
        kept.clear()
        body.clear()
    }
}
