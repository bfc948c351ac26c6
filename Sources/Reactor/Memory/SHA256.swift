// SHA-256 of bytes that arrive in pieces, and HMAC-SHA-256, by OpenSSL's libcrypto.
// A hash has one owner and is used by one thread at a time. Source: FIPS 180-4, RFC 2104.

import CReactor

/// 32 bytes that stand for others.
public struct SHA256Digest: Equatable, Hashable, Sendable {
    public static let byteCount = 32

    /// Always `byteCount` of them.
    public let bytes: [UInt8]

    fileprivate init(_ write: (UnsafeMutablePointer<UInt8>) -> Int32) {
        bytes = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            // libcrypto fails here only for want of a few hundred bytes of memory.
            precondition(write(buffer.baseAddress!) == 0, "no memory for a digest")
            count = Self.byteCount
        }
    }

    /// 64 hexadecimal digits in lower case.
    public var hex: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The digest of a whole.
    public static func of(_ bytes: RawSpan) -> SHA256Digest {
        let hash = SHA256()
        hash.update(bytes)
        return hash.finish()
    }

    public static func of(_ text: String) -> SHA256Digest { of(Array(text.utf8).rawBytes) }

    /// HMAC-SHA-256.
    public static func authenticating(_ message: [UInt8], key: [UInt8]) -> SHA256Digest {
        SHA256Digest { digest in cr_hmac_sha256(key, key.count, message, message.count, digest) }
    }
}

public struct SHA256: ~Copyable {
    private let hash: OpaquePointer

    public init() {
        guard let hash = cr_sha256_create() else { fatalError("no memory for a hash") }
        self.hash = hash
    }

    deinit { cr_sha256_free(hash) }

    public func update(_ bytes: RawSpan) {
        let status = bytes.withUnsafeBytes { cr_sha256_update(hash, $0.baseAddress, $0.count) }
        precondition(status == 0, "no memory for a hash")
    }

    /// The digest of all bytes so far; the hash starts anew.
    public func finish() -> SHA256Digest {
        SHA256Digest { cr_sha256_finish(hash, $0) }
    }
}
