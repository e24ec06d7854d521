// What a test run must not leave on the machine: mounts, loop devices, network namespaces,
// swarmdisk processes. Compared with what was there before, because the machine may have its own.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Other swarmdisks may come and go on this machine meanwhile. */
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const ENTRY = /(bin\/(run|dev|demo)\.js|fuse-server-child\.ts)$/

export type Traces = ReadonlySet<string>

function traces(): Traces {
  return new Set([...fuseMounts(), ...loopDevices(), ...namespaces(), ...processes()])
}

/** One line for each thing that was not there before; for a process, also what it is doing. */
export function leftBehind(before: Traces): readonly string[] {
  return [...traces()].filter(trace => !before.has(trace)).map(withState)
}

function withState(trace: string): string {
  const pid = /^process (\d+)/.exec(trace)?.[1]
  if (pid === undefined) return trace
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8')
    const told = status.split('\n').filter(line => /^(State|PPid|Threads|SigQ|ShdPnd):/.test(line))
    return `${trace}(${told.join(', ').replaceAll(/\s+/g, ' ')})`
  } catch {
    return `${trace}(it has ended by now)`
  }
}

leftBehind.traces = traces

function fuseMounts(): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter(line => / fuse[. ]/.test(line) || line.startsWith('/dev/loop'))
    .map(line => `mount ${line.split(' ').slice(0, 2).join(' on ')}`)
}

function loopDevices(): string[] {
  const list = execFileSync('losetup', ['--list', '--noheadings', '--output', 'NAME,BACK-FILE'])
  return list
    .toString()
    .split('\n')
    .filter(line => line !== '')
    .map(line => `loop device ${line}`)
}

function namespaces(): string[] {
  return existsSync('/run/netns') ? readdirSync('/run/netns').map(name => `namespace ${name}`) : []
}

function processes(): string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(pid => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        const ours = words.some(word => ENTRY.test(word) && resolve(ROOT, word).startsWith(ROOT))
        return ours ? [`process ${pid}: ${words.join(' ')}`] : []
      } catch {
        // It ended while we looked: it is not left behind.
        return []
      }
    })
}
