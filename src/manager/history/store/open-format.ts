// Finds out what kind of history is on the disk, makes it one of the current format, and reads it.
import type { Log } from '../../../base/log.js'
import type { Disk } from '../../../disk/disk.js'
import { convertVersion1, isVersion1 } from './convert-version-1.js'
import { isMarked } from './format-mark.js'
import { NOTHING, recover, type Recovered } from './recover.js'
import {
  contentIn,
  damaged,
  FOLDER,
  loadSegment,
  openExisting,
  segmentNumbers,
  segmentPath,
} from './segment-file.js'

export async function openFormat(disk: Disk, log: Log): Promise<Recovered> {
  const names = await disk.list(FOLDER)
  if (names.length === 0) return NOTHING
  // Whoever made the folder may have been killed before it was durable. What is in it becomes so
  // with the mark: to read that syncs the folder.
  await disk.syncFolder('')
  if (await isMarked(disk)) return recover(disk, log)
  if (isVersion1(names)) {
    await convertVersion1(disk, log)
    return recover(disk, log)
  }
  await checkUnmarked(disk, names)
  return NOTHING
}

// The first segment comes before the mark, and nothing is written to it before that. Anything else
// is a history without its mark, which nobody must take for an empty disk.
async function checkUnmarked(disk: Disk, names: readonly string[]): Promise<void> {
  const numbers = segmentNumbers(names)
  if (numbers.length === 0) return
  const path = segmentPath(1)
  if (numbers.length > 1 || numbers[0] !== 1) throw unmarked()
  const file = await openExisting(disk, path)
  try {
    const { frames, bytes } = await loadSegment(file, { path, last: true })
    const [first, second] = frames
    const content = first && contentIn(bytes, first, path)
    const used = second || !content || content.entries.length > 0
    if (used || (content.hardState?.term ?? 0) > 0) throw unmarked()
  } finally {
    await file.close()
  }
}

const unmarked = (): Error => damaged(`${FOLDER}/snapshot`, 'it is missing')
