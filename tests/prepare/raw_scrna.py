"""The single-cell files of the mirror, parsed without any reader; and what is known of them."""

import csv
import gzip
import zipfile

import anndata
import h5py
import numpy as np
import rdata

# cells, genes, class sizes: as in the README beside the mirror
FACTS = {
    "mouse_bladder_2100": (2100, 20670, "1 550, 2 299, 3 268, 4 229, 5 184, 6 158, 7 102, 8 60,"
                           " 9 53, 10 45, 13 33, 12 33, 11 30, 14 27, 15 21, 16 8"),
    "pbmc_4k": (4271, 2000, "1 1292, 2 702, 3 606, 4 459, 5 450, 6 332, 7 295, 8 135"),
    "human_kidney": (5685, 2000, "6 1498, 0 1201, 2 731, 10 621, 9 483, 4 373, 1 268, 5 259, 7 118,"
                     " 8 73, 3 60"),
    "cite_cbmc": (8617, 2000, "2 2293, 1 1791, 3 1248, 4 1089, 5 608, 6 350, 7 273, 8 230, 9 182,"
                  " 10 119, 11 114, 12 105, 13 96, 14 70, 15 49"),
    "baron_mouse1": (822, 14878, "beta 343, ductal 236, delta 85, endothelial 72,"
                     " quiescent_stellate 29, macrophage 17, gamma 14, alpha 9, immune_other 4,"
                     " T_cell 4, activated_stellate 4, schwann 3, B_cell 2"),
    "baron_human_2000": (2812, 2000, "alpha 960, beta 866, ductal 581, delta 226, gamma 149,"
                         " endothelial 30"),
    "segerstolpe_2000": (702, 2000, "alpha 329, gamma 135, beta 109, ductal 64, delta 56,"
                         " endothelial 9"),
    "goolam": (124, 28218, "4cell 64, 8cell 32, 2cell 16, 16cell 6, blast 6"),
    "camp_fetal_brain": (220, 12694, "N2 62, N3 57, N1 42, AP2 24, AP1 16, BP1 11, BP2 8"),
    "pdac_moncada": (1926, 7000, "Ductal_CRISP3_high-centroacinar_like 529,"
                     " Ductal_terminal_ductal_like 350, Ductal_MHC_Class_II 287,"
                     " Ductal_APOL1_high-hypoxic 215, Cancer_clone_B 170, Cancer_clone_A 126,"
                     " T_cells_&_NK_cells 40, mDCs_B 33, Tuft_cells 32, Macrophages_A 21,"
                     " Macrophages_B 19, Monocytes 18, RBCs 15, Mast_cells 14, Acinar_cells 13,"
                     " pDCs 13, mDCs_A 12, Endothelial_cells 11, Fibroblasts 5,"
                     " Endocrine_cells 3"),
    "zheng500": (500, 32738, "regulatory T 179, bcell 175, cd56_NK 146"),
    "biase49": (49, 25737, "Two-cell 20, Four-cell 20, zygote 9"),
    "cellbench_sc_celseq2": (274, 28204, "H1975 112, H2228 81, HCC827 81"),
    "cellbench_sc_dropseq": (225, 15127, "H1975 86, HCC827 70, H2228 69"),
    # mixes 1 (39) and 2 (43) are the same composition
    "cellbench_rnamix_celseq2": (340, 14804, "7 45, 3 45, 4 45, 5 44, 1+2 82, 6 40, 8 39"),
    "zeisel_1000": (1464, 1000, "pyramidal CA1 939, interneurons 290, endothelial-mural 235"),
    "klein_900": (1000, 900, "0 359, 7 292, 4 248, 2 101"),
    "paul15": (2730, 3451, "14Mo 373, 2Ery 329, 13Baso 300, 3Ery 246, 15Mo 186, 5Ery 180,"
               " 6Ery 173, 7MEP 167, 16Neu 164, 10GMP 153, 4Ery 124, 12Baso 69, 8Mk 68, 9GMP 63,"
               " 1Ery 43, 19Lymph 31, 11DC 30, 17Neu 22, 18Eos 9"),
    "pollen249": (249, 6982, "8 42, 9 38, 4 26, 11 24, 3 24, 1 22, 7 18, 2 17, 6 16, 10 15, 5 7"),
    "mecs182": (182, 8989, "3 65, 1 59, 2 58"),
    "yan90": (90, 20214, "blast 30, 8cell 20, 16cell 16, 4cell 12, 2cell 6, zygote 6"),
}  # fmt: skip
NO_COUNTS = {"biase49", "pollen249", "mecs182", "yan90"}


def sizes(text):
    return {part.rsplit(" ", 1)[0]: int(part.rsplit(" ", 1)[1]) for part in text.split(", ")}


def xy(path):
    with h5py.File(path) as file:
        x, y = file["X"][()], file["Y"][()]
    rows = [f"row-{i}" for i in range(1, len(x) + 1)]
    return x, rows, [f"gene-{i}" for i in range(1, x.shape[1] + 1)], [str(int(v)) for v in y]


def objects(path):
    return rdata.read_rda(path)


def named(array):
    """Return genes x cells as cells x genes, with both names."""
    genes, cells = (array.coords[d].values for d in array.dims)
    return array.values.T, cells, genes


def dgc(found):
    """Walk through a dgCMatrix column by column."""
    dense = np.zeros(tuple(found.Dim))
    for j, (start, end) in enumerate(zip(found.p, found.p[1:], strict=False)):
        dense[found.i[start:end], j] = found.x[start:end]
    return dense.T, found.Dimnames[1], found.Dimnames[0]


def csv_lines(path):
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt") as file:
        return list(csv.reader(file))


def baron_mouse1(folder):
    with zipfile.ZipFile(folder / "Baron mouse1.zip") as archive:
        (name,) = archive.namelist()
        header, *rows = csv.reader(archive.read(name).decode().splitlines())
    assert header[:3] == ["", "barcode", "assigned_cluster"]
    counts = np.array([row[3:] for row in rows], dtype=float)
    return counts, [row[0] for row in rows], header[3:], [row[2] for row in rows]


def baron_human_2000(folder):
    found = objects(folder / "Baron_scRNA.RData")
    return *named(found["Baron_counts"]), found["Baron_true_cell_label"]


def segerstolpe_2000(folder):
    found = objects(folder / "Seg_scRNA.RData")
    return *named(found["Seg_counts"]), found["Seg_true_cell_label"]


def goolam(folder):
    found = objects(folder / "Goolam.rda")["Goolam"]
    return *named(found["data"]), list(found["label"])


def camp_fetal_brain(folder):
    found = objects(folder / "camp.rda")["camp"]
    cells, genes = (found["counts"].coords[d].values for d in found["counts"].dims)
    type_of = dict(zip(found["cell.info"]["cell.id"], found["cell.info"]["cell.type"], strict=True))
    return found["counts"].values, cells, genes, [type_of[cell] for cell in cells]


def pdac_moncada(folder):
    counts, cells, genes = dgc(objects(folder / "sc_count.rda")["sc_count"])
    meta = objects(folder / "sc_meta.rda")["sc_meta"]
    type_of = dict(zip(meta["cellID"], meta["cellType"], strict=True))
    return counts, cells, genes, [type_of[cell] for cell in cells]


def safe(name):
    def parse(folder):
        found = objects(folder.parent / "zheng500_biase49" / "data_SAFE.rda")["data_SAFE"]
        return *named(found[f"{name}.expr"]), list(found[f"{name}.celltype"])

    return parse


def cellbench(stem, column, merge=None):
    def parse(folder):
        cells, *rows = csv_lines(folder / f"{stem}.count.csv.gz")
        header, *meta = csv_lines(folder / f"{stem}.metadata.csv.gz")
        place = header.index(column) + 1  # R names no column for the row names
        label = {row[0]: (merge or {}).get(row[place], row[place]) for row in meta}
        counts = np.array([row[1:] for row in rows], dtype=float).T
        return counts, cells, [row[0] for row in rows], [label[cell] for cell in cells]

    return parse


def zeisel_1000(folder):
    found = objects(folder / "zeisel.rda")["zeisel"]
    return *named(found["count.matrix.large"]), found["labels"]


def klein_900(folder):
    header, *rows = csv_lines(folder / "profile.txt")
    counts = np.array([row[1:] for row in rows], dtype=float).T
    labels = (folder / "labels.txt").read_text().split()
    return counts, header[1:], [row[0] for row in rows], labels


def paul15(folder):
    with h5py.File(folder / "paul15_cluster.h5ad") as file:
        adata = anndata.read_h5ad(folder / "paul15_cluster.h5ad")
        return file["X"][()], adata.obs_names, adata.var_names, adata.obs["paul15_clusters"]


def simlr(stem, name, wrong=None):
    def parse(folder):
        found = objects(folder / f"{stem}.RData")[name]
        values, cells, genes = named(found["in_X"])
        values = 10.0**values - 1
        if wrong is not None:
            values[:, wrong] = 0
        return values, cells, genes, [str(int(label)) for label in found["true_labs"]["V1"]]

    return parse


def yan90(folder):
    found = objects(folder / "yan.rda")
    type_of = found["ann"]["cell_type1"].to_dict()
    values = np.column_stack([found["yan"][cell].to_numpy(dtype=float) for cell in found["yan"]])
    cells = list(found["yan"].columns)
    return values.T, cells, found["yan"].index, [type_of[cell] for cell in cells]


PARSERS = {
    "mouse_bladder_2100": lambda at: xy(at / "mouse_bladder_cell_select_2100.h5"),
    "pbmc_4k": lambda at: xy(at / "10X_PBMC_top2000.h5"),
    "human_kidney": lambda at: xy(at / "human_kidney_counts_top2000.h5"),
    "cite_cbmc": lambda at: xy(at / "CITE_CBMC_counts_top2000.h5"),
    "baron_mouse1": baron_mouse1,
    "baron_human_2000": baron_human_2000,
    "segerstolpe_2000": segerstolpe_2000,
    "goolam": goolam,
    "camp_fetal_brain": camp_fetal_brain,
    "pdac_moncada": pdac_moncada,
    "zheng500": safe("Zheng"),
    "biase49": safe("Biase"),
    "cellbench_sc_celseq2": cellbench("sc_celseq2", "cell_line_demuxlet"),
    "cellbench_sc_dropseq": cellbench("sc_dropseq", "cell_line_demuxlet"),
    "cellbench_rnamix_celseq2": cellbench("RNAmix_celseq2", "mix", {"1": "1+2", "2": "1+2"}),
    "zeisel_1000": zeisel_1000,
    "klein_900": klein_900,
    "paul15": paul15,
    "pollen249": simlr("Test_3_Pollen", "Test_3_Pollen"),
    "mecs182": simlr("Test_1_mECS", "Test_1_mECS", wrong=-1),
    "yan90": yan90,
}
