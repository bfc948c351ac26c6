// Signatures against AWS's published examples: "Examples of the complete Signature Version 4 signing process" of the
// Amazon S3 API Reference, and the Signature Version 4 test suite (get-vanilla).

import Reactor
import Testing

@testable import Gateway

@Suite struct S3SignerTests {
    private static let time = WallTime(msSinceEpoch: 1_369_353_600_000)
    private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    private static let s3 = S3Signer(
        credentials: S3Credentials(
            accessKeyID: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            sessionToken: nil), region: "us-east-1")

    private func signature(_ request: S3Signer.Request) -> String {
        let header = Self.s3.authorization(request, at: Self.time)
        return String(header.split(separator: "Signature=").last ?? "")
    }

    private static func headers(_ more: [(String, String)] = [], hash: String = emptyHash) -> [(
        name: String, value: String
    )] {
        [
            ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
            ("x-amz-content-sha256", hash),
        ] + more.map { (name: $0.0, value: $0.1) }
    }

    @Test func `the example of getting an object has its whole header`() {
        let request = S3Signer.Request(
            method: "GET", path: "/test.txt", headers: Self.headers([("range", "bytes=0-9")]),
            payloadHash: Self.emptyHash)
        #expect(
            Self.s3.authorization(request, at: Self.time)
                == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, "
                + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date, "
                + "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")
    }

    @Test func `the example of putting an object, with a key that needs encoding`() {
        let hash = SHA256Digest.of("Welcome to Amazon S3.").hex
        #expect(hash == "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072")
        let request = S3Signer.Request(
            method: "PUT", path: "/" + S3Signer.encoded("test$file.text", keepsSlashes: true),
            headers: Self.headers(
                [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")], hash: hash),
            payloadHash: hash)
        #expect(signature(request) == "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")
    }

    @Test func `the example of a query without a value, and of one that must be sorted`() {
        let lifecycle = S3Signer.Request(
            method: "GET", path: "/", query: [("lifecycle", "")], headers: Self.headers(), payloadHash: Self.emptyHash)
        #expect(signature(lifecycle) == "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")
        let list = S3Signer.Request(
            method: "GET", path: "/", query: [("prefix", "J"), ("max-keys", "2")], headers: Self.headers(),
            payloadHash: Self.emptyHash)
        #expect(signature(list) == "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")
    }

    @Test func `get-vanilla of the test suite`() {
        let signer = S3Signer(
            credentials: S3Credentials(
                accessKeyID: "AKIDEXAMPLE", secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
                sessionToken: nil), region: "us-east-1", service: "service")
        let request = S3Signer.Request(
            method: "GET", path: "/",
            headers: [("host", "example.amazonaws.com"), ("x-amz-date", "20150830T123600Z")],
            payloadHash: Self.emptyHash)
        #expect(
            signer.authorization(request, at: WallTime(msSinceEpoch: 1_440_938_160_000))
                == "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
                + "SignedHeaders=host;x-amz-date, "
                + "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31")
    }

    @Test func `header values are signed without needless spaces, text with its UTF-8 encoded`() {
        let request = S3Signer.Request(
            method: "GET", path: "/", headers: [("my-header", "  a   b  c ")], payloadHash: "x")
        #expect(S3Signer.canonicalRequest(request) == "GET\n/\n\nmy-header:a b c\n\nmy-header\nx")
        #expect(S3Signer.encoded("ሴ a/b~-_.", keepsSlashes: true) == "%E1%88%B4%20a/b~-_.")
        #expect(S3Signer.encoded("a/b", keepsSlashes: false) == "a%2Fb")
    }
}
