// Where processes of this host find each other: short-lived files and sockets, gone after a reboot.
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'

/** /run/swarmdisk for root, a folder of the user's own elsewhere; made with mode 0700. */
export function runFolder(): string {
  const folder = writable('/run') ? '/run/swarmdisk' : join(tmpdir(), `swarmdisk-${userInfo().uid}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return folder
}

/** The socket of the process that owns a directory; short, because socket paths hold 107 bytes. */
export function socketPath(directory: string): string {
  const name = createHash('sha256').update(resolve(directory)).digest('hex').slice(0, 24)
  return join(runFolder(), `${name}.sock`)
}

function writable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    // Not root: the temporary folder serves as well.
    return false
  }
}
