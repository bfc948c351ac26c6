// Temporary
import CReactor
struct ChunkedDecoder {
    struct Step { var data: ByteRange; var consumed: Int; var isComplete: Bool }
    mutating func decode(_ b: RawSpan) throws(HTTPFailure) -> Step { throw HTTPFailure(.chunkSizeInvalid, atByte: 0) }
}
struct HTTPDate {
    mutating func write(unixSeconds: Int64, to b: inout ByteBuffer) { b.append("Thu, 01 Jan 1970 00:00:00 GMT") }
}
func isValidRequestID(_ s: RawSpan) -> Bool { s.byteCount > 0 && s.byteCount <= 128 }
extension ByteBuffer { mutating func appendStatusLine(_ s: HTTPStatus) { append(s.line ?? "HTTP/1.1 500 X\r\n") } }
