// How to reach a bucket: out of the storage's address and the variables that AWS's own tools read. Plain values.
// Source: AWS SDKs and Tools Reference Guide, "Environment variables".

struct S3Settings: Equatable, Sendable {
    static let regionDefault = "us-east-1"

    var bucket: String
    /// Without slashes at its ends; may be empty.
    var prefix: String
    var region: String
    var credentials: S3Credentials
    /// The service, and where the bucket's name goes.
    var endpoint: HTTPEndpoint
    /// The bucket is the first component of the path instead of the first label of the host.
    var isPathStyle: Bool
    /// Certificates to trust in place of the system's.
    var caFile: String?
    /// Where uploads gather: their key is the hash of all their bytes, so none can be sent before the last has come.
    var spoolFolder: String

    /// - Throws: which variable is missing or wrong.
    init(bucket: String, prefix: String, environment: [String: String]) throws(BadSetting) {
        func value(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
        guard let id = value("AWS_ACCESS_KEY_ID") else { throw BadSetting("AWS_ACCESS_KEY_ID is not set") }
        guard let secret = value("AWS_SECRET_ACCESS_KEY") else { throw BadSetting("AWS_SECRET_ACCESS_KEY is not set") }
        credentials = S3Credentials(accessKeyID: id, secretAccessKey: secret, sessionToken: value("AWS_SESSION_TOKEN"))
        region = value("AWS_REGION") ?? value("AWS_DEFAULT_REGION") ?? Self.regionDefault
        self.bucket = bucket
        self.prefix = prefix.split(separator: "/").joined(separator: "/")
        caFile = value("AWS_CA_BUNDLE")
        spoolFolder = (value("TMPDIR") ?? "/var/tmp") + "/taxlien-gateway-raw"
        if let url = value("AWS_ENDPOINT_URL_S3") ?? value("AWS_ENDPOINT_URL") {
            do throws(BadSetting) {
                endpoint = try HTTPEndpoint(url)
            } catch {
                throw BadSetting("AWS_ENDPOINT_URL: \(error.reason)")
            }
            isPathStyle = true
        } else {
            // A name with dots is no label that the service's certificate covers.
            isPathStyle = bucket.contains(".")
            let host = "s3.\(region).amazonaws.com"
            endpoint = HTTPEndpoint(
                isSecure: true, host: isPathStyle ? host : "\(bucket).\(host)", port: 443, path: "")
        }
    }

    /// An object's key in the bucket.
    func key(_ name: String) -> String { prefix.isEmpty ? name : "\(prefix)/\(name)" }

    /// The encoded path of a key, or of the bucket itself.
    func path(ofKey key: String?) -> String {
        var bucketPath = endpoint.path
        if isPathStyle { bucketPath += "/\(S3Signer.encoded(bucket, keepsSlashes: false))" }
        guard let key else { return bucketPath.isEmpty ? "/" : bucketPath }
        return "\(bucketPath)/\(S3Signer.encoded(key, keepsSlashes: true))"
    }

    /// The Host header.
    var host: String {
        let standard = endpoint.port == (endpoint.isSecure ? 443 : 80)
        return standard ? bracketed(endpoint.host) : "\(bracketed(endpoint.host)):\(endpoint.port)"
    }
}

struct S3Credentials: Equatable, Sendable {
    var accessKeyID: String
    var secretAccessKey: String
    /// Of temporary credentials.
    var sessionToken: String?
}
