#!/usr/bin/env -S node --import tsx
// From source, for work on swarmdisk itself: stack traces point into src/.
import { main } from '../src/cli/main.ts'

await main(import.meta.url)
