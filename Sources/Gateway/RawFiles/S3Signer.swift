// Signs requests to AWS: Signature Version 4, in the Authorization header. Pure: the time is an argument.
// Source: AWS General Reference, "Create a signed AWS API request"; Amazon S3 API Reference, "Signature calculations".

import Reactor

struct S3Signer: Sendable {
    var credentials: S3Credentials
    var region: String
    var service = "s3"

    /// What a signature covers.
    struct Request {
        var method: String
        /// Percent-encoded, as it is sent.
        var path: String
        /// Neither sorted nor encoded.
        var query: [(name: String, value: String)] = []
        /// All headers to sign, names in lower case: `host` and `x-amz-date` among them.
        var headers: [(name: String, value: String)]
        /// SHA-256 of the body in hexadecimal.
        var payloadHash: String
    }

    /// The value of the Authorization header.
    func authorization(_ request: Request, at time: WallTime) -> String {
        let timestamp = Self.timestamp(time)
        let scope = "\(timestamp.prefix(8))/\(region)/\(service)/aws4_request"
        let canonical = Self.canonicalRequest(request)
        let toSign = "AWS4-HMAC-SHA256\n\(timestamp)\n\(scope)\n\(SHA256Digest.of(canonical).hex)"
        let signature = SHA256Digest.authenticating(Array(toSign.utf8), key: signingKey(timestamp)).hex
        return "AWS4-HMAC-SHA256 Credential=\(credentials.accessKeyID)/\(scope), "
            + "SignedHeaders=\(Self.signedNames(request)), Signature=\(signature)"
    }

    private func signingKey(_ timestamp: String) -> [UInt8] {
        var key = Array("AWS4\(credentials.secretAccessKey)".utf8)
        for step in [String(timestamp.prefix(8)), region, service, "aws4_request"] {
            key = SHA256Digest.authenticating(Array(step.utf8), key: key).bytes
        }
        return key
    }

    static func canonicalRequest(_ request: Request) -> String {
        let headers = sorted(request.headers).map { "\($0.name):\(trimmed($0.value))\n" }.joined()
        return "\(request.method)\n\(request.path)\n\(queryText(request.query))\n\(headers)\n"
            + "\(signedNames(request))\n\(request.payloadHash)"
    }

    private static func signedNames(_ request: Request) -> String {
        sorted(request.headers).map(\.name).joined(separator: ";")
    }

    private static func sorted(_ headers: [(name: String, value: String)]) -> [(name: String, value: String)] {
        headers.sorted { $0.name < $1.name }
    }

    /// Without spaces at the ends, and with single ones inside.
    private static func trimmed(_ value: String) -> String {
        value.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
    }

    /// Encoded and sorted: as it is signed, and as it is sent.
    static func queryText(_ query: [(name: String, value: String)]) -> String {
        query.map { (encoded($0.name, keepsSlashes: false), encoded($0.value, keepsSlashes: false)) }
            .sorted { $0.0 == $1.0 ? $0.1 < $1.1 : $0.0 < $1.0 }
            .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
    }

    /// Percent-encodes all bytes of the UTF-8 but letters, digits, `-._~`, and slashes where they are kept.
    static func encoded(_ text: String, keepsSlashes: Bool) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                result.append(byte)
            case UInt8(ascii: "/") where keepsSlashes:
                result.append(byte)
            default:
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// `20130524T000000Z`.
    static func timestamp(_ time: WallTime) -> String {
        var text = ByteBuffer(capacity: 32)
        time.append(rfc3339: &text)
        // 2013-05-24T00:00:00.000Z without its punctuation and milliseconds.
        return text.bytes.string.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z"
    }
}
