// The words of a benchmark's command line: a table of options, each with its default and the way to
// read it. What cannot be read is a BadOption: one sentence for people, exit code 2. Pure.
import { parseArgs } from 'node:util'

export class BadOption extends Error {}

export interface Option<T> {
  readonly fallback: T
  read(text: string, name: string): T
}

type Table = Readonly<Record<string, Option<unknown>>>
type Values<T extends Table> = { readonly [K in keyof T]: T[K]['fallback'] }

export function readOptions<T extends Table>(words: readonly string[], table: T): Values<T> {
  const known = Object.keys(table)
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(known.map(name => [name, { type: 'string' as const }])),
    ...{ strict: false, allowPositionals: true, tokens: true },
  })
  const values = new Map(known.map(name => [name, table[name]?.fallback]))
  for (const token of tokens) {
    if (token.kind === 'option-terminator') continue
    const word = token.kind === 'option' ? token.rawName : token.value
    const option = token.kind === 'option' ? table[token.name] : undefined
    if (token.kind !== 'option' || !option || !known.includes(token.name)) {
      throw new BadOption(`"${word}" is unknown: use ${known.map(name => `--${name}`).join(', ')}.`)
    }
    if (token.value === undefined) throw new BadOption(`${word} needs a value.`)
    values.set(token.name, option.read(token.value, word))
  }
  return Object.fromEntries(values) as Values<T>
}

/** A number above zero, such as seconds. */
export function positive(fallback: number): Option<number> {
  return {
    fallback,
    read(text, name) {
      const value = Number(text)
      if (text.trim() !== '' && Number.isFinite(value) && value > 0) return value
      throw new BadOption(`${name} takes a number above 0, not "${text}".`)
    },
  }
}

export interface Range {
  readonly from: number
  readonly to: number
}

export function whole(fallback: number, range: Range): Option<number> {
  return { fallback, read: (text, name) => wholeNumber(text, name, range) }
}

/** "1,2,3": each once, in the order given. */
export function wholeList(fallback: readonly number[], range: Range): Option<readonly number[]> {
  const read = (text: string, name: string): readonly number[] => [
    ...new Set(text.split(',').map(part => wholeNumber(part, name, range))),
  ]
  return { fallback, read }
}

export function oneOf<const T extends string>(fallback: T, choices: readonly T[]): Option<T> {
  return {
    fallback,
    read(text, name) {
      const choice = choices.find(candidate => candidate === text)
      if (choice !== undefined) return choice
      throw new BadOption(`${name} is ${choices.join(' or ')}, not "${text}".`)
    },
  }
}

/** "b,a": some of the choices, in the order of the choices; all of them by default. */
export function someOf<const T extends string>(choices: readonly T[]): Option<readonly T[]> {
  return {
    fallback: choices,
    read(text, name) {
      const words = text.split(',')
      const wrong = words.find(word => !choices.some(choice => choice === word))
      if (wrong === undefined) return choices.filter(choice => words.includes(choice))
      throw new BadOption(`${name} takes some of ${choices.join(',')}, and "${wrong}" is none.`)
    },
  }
}

/** A regular expression, matched without regard to case. */
export function pattern(): Option<RegExp> {
  return {
    fallback: /^/,
    read(text, name) {
      try {
        return new RegExp(text, 'i')
      } catch {
        throw new BadOption(`${name} takes a regular expression, and "${text}" is none.`)
      }
    },
  }
}

/** Where to write JSON: a file, "-" for standard output, null for nowhere. */
export function jsonPath(): Option<string | null> {
  return {
    fallback: null,
    read(text, name) {
      if (text !== '') return text
      throw new BadOption(`${name} takes the name of a file, or - for standard output.`)
    },
  }
}

function wholeNumber(text: string, name: string, { from, to }: Range): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= from && value <= to) return value
  throw new BadOption(`${name} takes whole numbers from ${from} to ${to}, not "${text}".`)
}
