import { Body, Get, HttpCode, Inject, Post } from '@nestjs/common';
import {
  Answers,
  Api,
  BodyLimit,
  Command,
  type CommandInput,
  For,
  Json,
  OneOf,
  Shows,
  snapshot,
  Summary,
} from '@patchtrail/platform';
import type { Database } from '@patchtrail/postgres';
import { importKev } from '../../application/import-kev.js';
import { listSignals } from '../postgres/group-queries.js';
import { ImportAnswer, ThreatSignalsAnswer } from './answers.js';
import { DISCOVERY_DB, runOnce } from './request-origin.js';

const CATALOGUE_BYTES_MAX = 33_554_432;

class ImportSignal {
  @OneOf(['kev']) signal!: 'kev';
  /** CISA's catalogue as it is published. */
  @Json() document!: unknown;
}

@Api('v1/threat-signals')
export class ThreatSignalsController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  @Summary('Catalogues of threat signals that were imported.')
  @Get()
  @For('platform-engineer', 'approver', 'auditor')
  @Shows(ThreatSignalsAnswer)
  async list() {
    return snapshot({ items: await listSignals(this.db) }, { position: null, lagMs: 0 });
  }
}

@Api('v1/threat-signals:import')
export class ThreatSignalImportController {
  constructor(@Inject(DISCOVERY_DB) private readonly db: Database) {}

  /** Taken as a whole, or not at all. */
  @Summary('Import the catalogue of known exploited vulnerabilities.')
  @Post()
  @HttpCode(200)
  @For('platform-engineer')
  @BodyLimit(CATALOGUE_BYTES_MAX)
  @Answers(ImportAnswer)
  take(@Body() body: ImportSignal, @Command() command: CommandInput) {
    return runOnce(this.db, command, (tx) => importKev(tx, body.document, command.context.at));
  }
}
