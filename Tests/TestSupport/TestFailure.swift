// What the fixtures throw: a sentence for whoever reads the failed test.

/// A fixture could not do what the test asked of it.
public struct TestFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }
}
