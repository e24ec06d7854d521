// The kernel's mount table. Reading it touches no mount, so it is safe with mounts whose process
// hangs or is dead, and from the process that serves one.
import { readFile } from 'node:fs/promises'

export interface MountEntry {
  /** 'major:minor' of what is mounted; of a FUSE mount the minor names its connection. */
  readonly device: string
  readonly mountPoint: string
  readonly type: string
  readonly source: string
}

export const FUSE_SOURCE = 'swarmdisk'
export const FUSE_TYPE = 'fuse.swarmdisk'

/** In the order of mounting. Lines of another shape than proc(5) says are left out. */
export function parseMountTable(text: string): readonly MountEntry[] {
  return text.split('\n').flatMap(line => {
    const [left = '', right = ''] = line.split(' - ')
    const [, , device, , mountPoint] = left.split(' ')
    const [type, source] = right.split(' ')
    if (device === undefined || mountPoint === undefined) return []
    if (type === undefined || source === undefined) return []
    return [{ device, mountPoint: unescape(mountPoint), type, source: unescape(source) }]
  })
}

export async function readMountTable(): Promise<readonly MountEntry[]> {
  return parseMountTable(await readFile('/proc/self/mountinfo', 'utf8'))
}

export function isSwarmdiskMount(entry: MountEntry): boolean {
  return entry.type === FUSE_TYPE && entry.source === FUSE_SOURCE
}

export function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory === '/' ? '/' : directory + '/')
}

/** Blanks, tabs, line ends and backslashes are written as three octal digits. */
function unescape(field: string): string {
  return field.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
