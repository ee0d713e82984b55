-- A speech recognizer, built, used and measured in SQL. Run it with:  make demo

-- A tutorial data set comes with the package: spoken numbers, as over a telephone.
GET THANOSQL DATASET spoken_numbers OPTIONS (overwrite=True);

COPY numbers_train OPTIONS (if_exists='replace') FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_train.csv';
COPY numbers_test OPTIONS (if_exists='replace') FROM 'thanosql-dataset/spoken_numbers/spoken_numbers_test.csv';

-- They are tables like any other: a row an utterance, the path of its audio, what is said, and who says it.
SELECT * FROM numbers_test LIMIT 5;
SELECT speaker, count(*) AS utterances FROM numbers_train GROUP BY speaker ORDER BY speaker LIMIT 5;

-- What does the base model hear, on voices that neither it nor we ever train on?
PREDICT USING Wav2Vec2Tiny AS SELECT * FROM numbers_test LIMIT 5;
EVALUATE USING Wav2Vec2Tiny AS SELECT * FROM numbers_test;

-- Build a model of our own from it.
BUILD MODEL numbers USING Wav2Vec2Tiny
OPTIONS (audio_col='audio_path', text_col='text', batch_size=8, max_epochs=10, overwrite=True) AS
SELECT * FROM numbers_train;

-- Use it: the query's columns and one more, kept as a table.
PREDICT USING numbers OPTIONS (table_name='numbers_heard') AS SELECT * FROM numbers_test;
SELECT text, predict_result FROM numbers_heard WHERE text <> predict_result LIMIT 5;

-- Measure it.
EVALUATE USING numbers AS SELECT * FROM numbers_test;

-- Train it further, at a lower rate.
FIT MODEL numbers USING numbers OPTIONS (batch_size=8, max_epochs=2, learning_rate=1e-4, overwrite=True) AS
SELECT * FROM numbers_train;

EVALUATE USING numbers AS SELECT * FROM numbers_test;
