internal import CLMDB
internal import Synchronization

/// Growing the map. All of this runs in the writer's seat with no write transaction live.
extension Environment {
    /// How large the map is, and how much of it the file has ever used.
    var mapUse: (map: Int, used: Int) {
        var info = MDB_envinfo()
        var statistics = MDB_stat()
        mdb_env_info(handle.pointer, &info)
        mdb_env_stat(handle.pointer, &statistics)
        return (info.me_mapsize, (info.me_last_pgno + 1) * Int(statistics.ms_psize))
    }

    /// Doubles a map that is more than 80 % used, if no read is in the way; there is time left to try again.
    func growAhead() {
        let (map, used) = mapUse
        if used > map / 10 * 8 && map < options.mapBytesMax { _ = grow(from: map, waiting: .zero) }
    }

    /// Grows a map that turned out to be full; nil when it grew.
    func growNow() -> LMDBError? {
        let map = mapUse.map
        guard map < options.mapBytesMax else {
            return LMDBError(
                .mapFull,
                "\(directory): all \(map) bytes are in use. Delete entries or raise mapBytesMax.",
                underlying: MDB_MAP_FULL
            )
        }
        return grow(from: map, waiting: options.growthWait)
    }

    private func grow(from map: Int, waiting limit: Duration) -> LMDBError? {
        let doubled = map.multipliedReportingOverflow(by: 2)
        let size = doubled.overflow ? options.mapBytesMax : min(doubled.partialValue, options.mapBytesMax)
        return resize(to: size, waiting: limit)
    }

    /// Takes over the size another process has given the map; nil when done.
    func adoptMap() -> LMDBError? {
        resize(to: 0, waiting: options.growthWait)
    }

    private func resize(to size: Int, waiting limit: Duration) -> LMDBError? {
        let status = gate.exclusively(waiting: limit) { mdb_env_set_mapsize(handle.pointer, size) }
        guard let status else {
            return LMDBError(
                .mapFull,
                "\(directory): the map could not grow, for reads held it for \(limit). Keep reads short.",
                underlying: MDB_MAP_FULL
            )
        }
        if status == 0 { return nil }
        // LMDB has unmapped the file before it failed, so nothing may touch the environment any more.
        isBroken.store(true, ordering: .releasing)
        gate.breakDown()
        return LMDBError(status: status, while: "growing the map to \(size) bytes", at: directory)
    }
}
