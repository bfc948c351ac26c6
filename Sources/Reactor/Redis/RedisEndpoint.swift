// Where a Redis is and who we are there. Plain data, made from configuration at start-up.

/// An address of Redis with credentials and database.
public struct RedisEndpoint: Equatable, Sendable {
    public enum Address: Equatable, Sendable {
        case tcp(host: String, port: UInt16)
        case unix(path: String)
    }

    public static let defaultPort: UInt16 = 6379

    public var address: Address
    public var user: String?
    public var password: String?
    public var database: Int
    public var usesTLS: Bool
    /// A client's context, by which the server's certificate is checked; needed where TLS is used.
    public var tls: CurrentTLSContext?
    /// What `CLIENT LIST` shows.
    public var clientName: String

    public init(
        _ address: Address, user: String? = nil, password: String? = nil, database: Int = 0, usesTLS: Bool = false,
        clientName: String = "taxlien-gateway"
    ) {
        self.address = address
        self.user = user
        self.password = password
        self.database = database
        self.usesTLS = usesTLS
        self.clientName = clientName
    }
}

extension RedisEndpoint: CustomStringConvertible {
    /// For logs: without the password.
    public var description: String {
        switch address {
        case .tcp(let host, let port): "\(usesTLS ? "rediss" : "redis")://\(host):\(port)/\(database)"
        case .unix(let path): "unix://\(path)?db=\(database)"
        }
    }
}
