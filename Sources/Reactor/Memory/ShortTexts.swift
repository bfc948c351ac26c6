// Short texts kept by number, one for each slot of a table that somebody else owns: who sent the request of an exchange.
// One reactor owns it. Keeping a text is a copy and allocates nothing once its number has been used.
// Limits: numbers below `countMax`; `bytesMax` of a text, the rest is cut; memory by chunks of `chunkCount` numbers in use.

import CReactor

public final class ShortTexts {
    public static let bytesMax = 128
    public static let countMax = 1 << 24
    private static let chunkCount = 256
    private static let chunksMax = countMax / chunkCount
    /// Its length, then its bytes.
    private static let stride = 1 + bytesMax

    /// nil where no number of a chunk was used. The kernel gives no memory for pages of it that are never touched.
    private let chunks: UnsafeMutablePointer<UnsafeMutableRawPointer?>

    public init() {
        let directory = calloc(Self.chunksMax, MemoryLayout<UnsafeMutableRawPointer?>.stride)!
        // All zeros are nils.
        chunks = directory.bindMemory(to: UnsafeMutableRawPointer?.self, capacity: Self.chunksMax)
    }

    deinit {
        for chunk in 0..<Self.chunksMax { free(chunks[chunk]) }
        free(chunks)
    }

    /// Keeps a text in place of the one that was there; an empty one clears.
    public func set(_ index: UInt32, _ text: RawSpan) {
        let slot = slot(index)
        let count = min(text.byteCount, Self.bytesMax)
        slot.storeBytes(of: UInt8(count), as: UInt8.self)
        // The slot has room for `bytesMax` behind the length.
        if count > 0 { text.withUnsafeBytes { _ = memcpy(slot + 1, $0.baseAddress!, count) } }
    }

    public func clear(_ index: UInt32) { slot(index).storeBytes(of: 0, as: UInt8.self) }

    /// Allocates: for lines that are written. Empty where nothing was kept.
    public func text(_ index: UInt32) -> String {
        let slot = slot(index)
        let bytes = UnsafeRawBufferPointer(start: slot + 1, count: Int(slot.load(as: UInt8.self)))
        return String(decoding: bytes, as: UTF8.self)
    }

    private func slot(_ index: UInt32) -> UnsafeMutableRawPointer {
        let chunk = Int(index) / Self.chunkCount
        precondition(chunk < Self.chunksMax, "a number beyond the bound")
        return (chunks[chunk] ?? addChunk(chunk)) + Int(index) % Self.chunkCount * Self.stride
    }

    private func addChunk(_ chunk: Int) -> UnsafeMutableRawPointer {
        let fresh = calloc(Self.chunkCount, Self.stride)!
        chunks[chunk] = fresh
        return fresh
    }
}
