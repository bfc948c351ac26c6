// `POST /internal/raw-files`: joins a streamed request to the store. One task of its reactor for each upload.

import Reactor

/// `@unchecked Sendable`: tasks of its reactor hold it; every member is for the reactor's thread.
final class RawFileHandler: @unchecked Sendable {
    private let reactor: Reactor
    private let server: HTTPServer
    private let files: RawFiles

    init(reactor: Reactor, server: HTTPServer, files: RawFiles) {
        self.reactor = reactor
        self.server = server
        self.files = files
    }

    /// Begins to take a file in.
    /// - Returns: where the request's body goes.
    func start(_ request: borrowing Request, worker: String) -> RequestBody {
        let body = RequestBody()
        let exchange = request.exchange
        let type = request.header(.contentType)?.string ?? ""
        reactor.spawn { [self] in
            switch await files.receive(body, contentType: type, workerID: worker) {
            case .success(let answer): server.respond(exchange, status: 200) { answer.write(to: &$0) }
            case .failure(let problem): server.respond(exchange, problem)
            }
        }
        return body
    }
}
