// The seconds of a run as comma-separated values, one line each under a line of names. Pure. Source: RFC 4180.

extension Report {
    func csv() -> String {
        var text = "second,sent,answered,errors,p50_us,p99_us,max_us\n"
        for row in series {
            text +=
                "\(row.second),\(row.sent),\(row.answered),\(row.errors),\(fixedText(row.p50Micros, 1)),"
                + "\(fixedText(row.p99Micros, 1)),\(fixedText(row.maxMicros, 1))\n"
        }
        return text
    }
}
