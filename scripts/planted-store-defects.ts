import type { PlantedDefect } from './planted-defects.ts';

const crash = ['test/worker/disk/store-crash'];
const records = ['test/worker/disk/records'];
const restart = ['test/worker/disk-restart'];
const store = ['test/worker/disk-page-store'];
const outage = ['test/worker/disk-outage'];
const tiers = ['test/worker/page-stores'];
const table = ['test/worker/disk/page-table'];
const between = ['test/worker/disk/removals-between'];

/** What could break unseen in regions on a disk: what is served, what comes back, and what room they take. */
export const plantedStoreDefects: readonly PlantedDefect[] = [
  {
    name: 'regions: pages of mounts that went while no process ran stay',
    file: 'src/worker/disk-page-store.ts',
    right: '    for (const name of unwanted) void this.removeIncarnation(name);\n',
    wrong: '',
    foundBy: restart,
  },
  {
    name: 'regions: memory is lent before it is read into',
    file: 'src/worker/disk/record-reader.ts',
    right: '    const bytes = this.buffers.take(blocks.end - blocks.start, loans);\n',
    wrong:
      '    const bytes = this.buffers.take(blocks.end - blocks.start, loans);\n    this.buffers.lend(bytes, loans);\n',
    foundBy: ['test/worker/disk/read-buffers'],
  },
  {
    name: 'regions: memory is used again while it is lent',
    file: 'src/worker/disk/read-buffers.ts',
    right: '    loans?.add(() => this.giveBack(bytes));',
    wrong: '    if (loans) this.giveBack(bytes);',
    foundBy: ['test/worker/disk/read-buffers'],
  },
  {
    name: 'memory over disk: a page that comes from the disk is kept while it is removed',
    file: 'src/worker/tiered-page-store.ts',
    right:
      'await Promise.all([this.disk.removeIncarnation(incarnation), this.memory.removeIncarnation(incarnation)]);',
    wrong:
      'await this.memory.removeIncarnation(incarnation);\n    await this.disk.removeIncarnation(incarnation);',
    foundBy: tiers,
  },
  {
    name: 'memory: a part of the slots is not looked at when a mount is forgotten',
    file: 'src/worker/memory-page-store.ts',
    right: 'slot += slotsAtOnce) {',
    wrong: 'slot += 2 * slotsAtOnce) {',
    foundBy: tiers,
  },
  {
    name: 'regions: a removal does not wait for a copy that is being carried',
    file: 'src/worker/disk/directory-session.ts',
    right: '    this.removals.addDead(region, offset);\n',
    wrong: "    if (this.regions.get(region)?.state !== 'leaving') this.removals.addDead(region, offset);\n",
    foundBy: between,
  },
  {
    name: 'regions: what a failed write has left is taken for a page at the next start',
    file: 'src/worker/disk/region-writer.ts',
    right: '      this.events.lost(region, offsets);\n',
    wrong: '',
    foundBy: between,
  },
  {
    name: 'regions: a removal does not wait for an unreadable region to be given up',
    file: 'src/worker/disk/directory-session.ts',
    right: '    this.removals.addRetired(region.id);\n    this.useless',
    wrong: '    this.useless',
    foundBy: between,
  },
  {
    name: 'regions: what is removed while a folder is looked through stays',
    file: 'src/worker/disk/page-directory.ts',
    right: '      this.session.catchUp(missed);\n',
    wrong: '',
    foundBy: between,
  },
  {
    name: 'regions: pages of a folder that could not be loaded stay in the table',
    file: 'src/worker/disk/page-directory.ts',
    right: '        this.takeOut(regions);\n        throw error;',
    wrong: '        throw error;',
    foundBy: between,
  },
  {
    name: 'page table: the version is not looked at again when an entry has been read',
    file: 'src/worker/disk/page-table.ts',
    right: "if (!same || Atomics.load(words, at + field.version) !== version) return 'changed';",
    wrong: "if (!same) return 'changed';",
    foundBy: table,
  },
  {
    name: 'page table: whether an incarnation was removed is asked when its number may be free again',
    file: 'src/worker/disk/page-table.ts',
    right: `
    const removed = this.isRemoved(Atomics.load(words, at + field.folder));
    if (!same || Atomics.load(words, at + field.version) !== version) return 'changed';`,
    wrong: `
    if (!same || Atomics.load(words, at + field.version) !== version) return 'changed';
    const removed = this.isRemoved(Atomics.load(words, at + field.folder));`,
    foundBy: table,
  },
  {
    name: 'regions: an index names records that are not durable',
    file: 'src/worker/disk/region-writer.ts',
    right: '      await region.file?.sync();\n',
    wrong: '',
    foundBy: crash,
  },
  {
    name: 'regions: a removal is acknowledged before it is durable',
    file: 'src/worker/disk/removal-log.ts',
    right: '      await this.openFile.sync();\n',
    wrong: '',
    foundBy: crash,
  },
  {
    name: 'regions: a removal that finds nothing does not wait for what was given up before',
    file: 'src/worker/disk-page-store.ts',
    right: 'const waiting = this.directories.filter((directory) => directory.hasUncommitted);',
    wrong: 'const waiting = this.directories.slice(1).filter((directory) => directory.hasUncommitted);',
    foundBy: crash,
  },
  {
    name: 'regions: the former log goes before the next one is durable',
    file: 'src/worker/disk/removal-log.ts',
    right: '    await this.fs.syncDirectory(this.directory);\n',
    wrong: '',
    foundBy: crash,
  },
  {
    name: 'regions: what was given up is forgotten while its file may come back',
    file: 'src/worker/disk/log-summary.ts',
    right: '  await fs.syncDirectory(regionsFolder(path));\n',
    wrong: '',
    foundBy: crash,
  },
  {
    name: 'regions: a key is not compared with the one that is asked for',
    file: 'src/worker/disk/record-reader.ts',
    right: 'return header.keyText.equals(keyText);',
    wrong: 'return header.keyText.length > 0 && keyText.length > 0;',
    foundBy: records,
  },
  {
    name: 'regions: the header of a record is not compared with its checksum',
    file: 'src/worker/disk/record-format.ts',
    right: 'if (crc32(start.subarray(0, length - 4)) !== start.readUInt32LE(length - 4)) return undefined;',
    wrong: '',
    foundBy: records,
  },
  {
    name: 'regions: an index is not compared with its checksum',
    file: 'src/worker/disk/region-format.ts',
    right: 'if (crc32(bytes.subarray(0, -4)) !== bytes.readUInt32LE(bytes.length - 4)) return undefined;',
    wrong: '',
    foundBy: records,
  },
  {
    name: 'regions: records that another region left are believed',
    file: 'src/worker/disk/record-format.ts',
    right: '!start.subarray(0, markerBytes).equals(marker)',
    wrong: 'marker.length !== markerBytes',
    foundBy: records,
  },
  {
    name: 'regions: a flipped bit in the log loses a removal',
    file: 'src/worker/disk/removal-log.ts',
    right: 'await this.openFile.write([start, payload, start, payload], position);',
    wrong: 'await this.openFile.write([start, payload], position);',
    foundBy: restart,
  },
  {
    name: 'regions: removals are forgotten when a region is read without its index',
    file: 'src/worker/disk/region-recovery.ts',
    right: 'if (!key || isRemoved(offset, key.incarnation)) return;',
    wrong: 'if (!key) return;',
    foundBy: restart,
  },
  {
    name: 'regions: removals are forgotten when an index is read',
    file: 'src/worker/disk/directory-load.ts',
    right: 'if (isRemoved(row.offset, row.incarnation)) continue;',
    wrong: '',
    foundBy: crash,
  },
  {
    name: 'regions: what is removed while regions are read comes back',
    file: 'src/worker/disk/region-recovery.ts',
    right: 'if (missed.has(row) || !addRow',
    wrong: 'if (!addRow',
    foundBy: restart,
  },
  {
    name: 'regions: pages are kept though it is not known what was removed',
    file: 'src/worker/disk/directory-load.ts',
    right: 'isKnown && !removals.isRetired(id) ? await openRegion',
    wrong: '!removals.isRetired(id) ? await openRegion',
    foundBy: restart,
  },
  {
    name: 'regions: a page that is removed while it is written is kept',
    file: 'src/worker/disk/write-queue.ts',
    right: 'if (write.cancelled || (present !== 0 && !isDead) || !book.hasRoom) {',
    wrong: 'if ((present !== 0 && !isDead) || !book.hasRoom) {',
    foundBy: restart,
  },
  {
    name: 'regions: pages of a region that was given up stay in the table',
    file: 'src/worker/disk/eviction.ts',
    right: '    this.parts.book.remove(entry);\n',
    wrong: '',
    foundBy: store,
  },
  {
    name: 'regions: room is not reserved before it is used',
    file: 'src/worker/disk/directory-space.ts',
    right: 'return usedBytes + bytes <= this.settings.capacityBytes && written + bytes <= this.spareBytes;',
    wrong: 'return usedBytes <= this.settings.capacityBytes && written + bytes <= this.spareBytes;',
    foundBy: store,
  },
  {
    name: 'regions: nothing is left free for others',
    file: 'src/worker/disk/directory-space.ts',
    right: ' && written + bytes <= this.spareBytes',
    wrong: '',
    foundBy: store,
  },
  {
    name: 'regions: a bad page is not dropped by scrubbing',
    file: 'src/worker/disk/record-check.ts',
    right: 'this.onBad(place, error);',
    wrong: '',
    foundBy: ['test/worker/disk/scrubber'],
  },
  {
    name: 'regions: a folder that was replaced is written to',
    file: 'src/worker/disk/directory-session.ts',
    right: 'if (!(await this.removals.isInPlace())) {',
    wrong: 'if (this.stopped) {',
    foundBy: outage,
  },
  {
    name: 'regions: what is removed while a folder is away comes back with it',
    file: 'src/worker/disk/page-directory.ts',
    right: '    await this.start(known);\n',
    wrong: '    await this.start();\n',
    foundBy: outage,
  },
  {
    name: 'regions: a look-up does not notice that the table was changed',
    file: 'src/worker/disk/page-table.ts',
    right: '} else if (Atomics.load(this.words, head.structure) === before) {',
    wrong: '} else {',
    foundBy: table,
  },
];
