// Makes tasks out of CSV records: which column becomes which member of the target, and what all tasks have in common.
// A plain value, checked against the header before the first record.

import Reactor

struct TaskColumns: Sendable {
    /// What every task of the file has.
    struct Common: Sendable {
        var platform: String
        var priority = 3
        var tier = 1
        var type = "scrape"
        var state: String?
        var county: String?
    }

    /// The columns do not make tasks.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private let common: Common
    /// Member of the target and its column; in the order of the file.
    private let members: [(name: String, column: Int)]
    /// nil: made of platform, state, county and parcel id, so that it is the same in every run.
    private let taskID: Int?
    private let parcelID: Int?

    /// - Parameters:
    ///   - mapping: `member=COLUMN`; none takes every column under its name in lower case.
    ///   - header: the file's first record.
    init(_ common: Common, mapping: [String], taskIDColumn: String?, header: [String]) throws(Failure) {
        self.common = common
        func position(_ column: String) throws(Failure) -> Int {
            guard let index = header.firstIndex(of: column) else {
                throw Failure(description: "no column \(column); the file has \(header.joined(separator: ", "))")
            }
            return index
        }
        var members: [(name: String, column: Int)] = []
        for entry in mapping {
            let parts = entry.split(separator: "=", maxSplits: 1).map { String($0) }
            guard parts.count == 2 else {
                throw Failure(description: "--column \(entry): expected member=COLUMN, as in parcel_id=SCHEDULE_NUMBER")
            }
            members.append((parts[0], try position(parts[1])))
        }
        if mapping.isEmpty { members = header.enumerated().map { ($1.lowercased(), $0) } }
        self.members = members
        taskID = if let taskIDColumn { try position(taskIDColumn) } else { nil }
        parcelID = members.first { $0.name == "parcel_id" || $0.name == "party_id" }?.column
        guard taskID != nil || parcelID != nil else {
            throw Failure(
                description: "no task id: map parcel_id or party_id with --column, or name a --task-id-column")
        }
    }

    /// Appends the task of a record, as a producer would send it.
    /// - Returns: false where the record has no task id.
    func append(_ record: [String], to out: inout ByteBuffer) -> Bool {
        func value(_ column: Int) -> String { column < record.count ? record[column] : "" }
        let id: String
        if let taskID {
            id = value(taskID)
        } else {
            let parcel = parcelID.map { value($0) } ?? ""
            let parts = [common.platform, common.state, common.county].compactMap { $0 } + [parcel]
            id = parcel.isEmpty ? "" : parts.joined(separator: ":")
        }
        guard !id.isEmpty else { return false }
        var json = JSONWriter()
        json.openObject(&out)
        for (key, text) in [
            ("task_id", id), ("type", common.type), ("platform", common.platform),
        ] as [(StaticString, String)] {
            json.key(key, &out)
            json.string(text: text, &out)
        }
        json.key("priority", &out)
        json.number(common.priority, &out)
        json.key("tier", &out)
        json.number(common.tier, &out)
        json.key("target", &out)
        json.openObject(&out)
        if let state = common.state {
            json.key("state", &out)
            json.string(text: state, &out)
        }
        if let county = common.county {
            json.key("county", &out)
            json.string(text: county, &out)
        }
        for (name, column) in members {
            json.key(text: Array(name.utf8).rawBytes, &out)
            json.string(text: value(column), &out)
        }
        json.closeObject(&out)
        json.closeObject(&out)
        return true
    }
}
